//! The buffers of a connection, in place of ureq's own, which zero all of their memory for the
//! shortest request. These begin small, and grow once they are filled.

use ureq::unversioned::transport;

use crate::settings::Settings;

/// How many bytes ureq moves at once, each way.
pub(crate) const BUFFER: usize = 64 * 1024;
/// The largest response head that is read, in bytes.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// Room for more than the largest head, so that a larger one is recognised.
const INPUT: usize = MAX_HEAD + 4096;
/// Size of the output until a body needs more: room for the longest line of a request head, as
/// headers and URLs are limited to this much.
const FIRST_OUTPUT: usize = Settings::LARGEST_HEADERS + PAGE;
/// Room after the input that is always free: ureq reads the request body into it, however much of
/// an early response the input holds.
const SCRATCH: usize = 16 * 1024;
/// A page of memory on most machines. Where they are larger, this does no harm.
const PAGE: usize = 4096;

/// An output and an input buffer.
pub(crate) struct Buffers {
    output: PageBuffer,
    /// Size of the output for the next part of a request body.
    next_output: usize,
    input: PageBuffer,
    /// The range of the input that has arrived and is not consumed yet.
    start: usize,
    end: usize,
    /// The last call that consumed input made progress, so the rest is worth reading.
    made_progress: bool,
}

impl Default for Buffers {
    fn default() -> Self {
        Self {
            output: PageBuffer::new(BUFFER),
            next_output: FIRST_OUTPUT,
            input: PageBuffer::new(INPUT + SCRATCH),
            start: 0,
            end: 0,
            made_progress: false,
        }
    }
}

impl Buffers {
    /// Moves the input to the front. Returns the room after it.
    fn scratch(&mut self) -> &mut [u8] {
        let unused = self.start..self.end;
        (self.start, self.end) = (0, unused.len());
        if unused.start > 0 {
            self.input.bytes_mut().copy_within(unused, 0);
        }
        self.input.grow(self.end + SCRATCH);
        &mut self.input.bytes_mut()[self.end..]
    }
}

impl transport::Buffers for Buffers {
    fn output(&mut self) -> &mut [u8] {
        self.output.grow(FIRST_OUTPUT);
        self.output.bytes_mut()
    }

    fn input(&self) -> &[u8] {
        &self.input.bytes()[self.start..self.end]
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        let room = self.scratch();
        let size = room.len();
        let most = INPUT - self.end;
        &mut self.input.bytes_mut()[self.end..][..size.min(most)]
    }

    fn input_appended(&mut self, amount: usize) {
        self.end += amount;
        if self.end == self.input.bytes().len() {
            self.input.grow(2 * self.end);
        }
    }

    fn input_consume(&mut self, amount: usize) {
        self.made_progress = amount > 0;
        self.start += amount;
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.output.grow(self.next_output);
        self.next_output = BUFFER;
        self.scratch();
        (&mut self.input.bytes_mut()[self.end..], self.output.bytes_mut())
    }

    fn can_use_input(&self) -> bool {
        self.made_progress && self.start < self.end
    }
}

/// Memory that begins at a page boundary, and grows within what is reserved for it. The part beyond
/// its size is never touched, so that the kernel provides no pages for it; some C libraries touch
/// all of what is allocated as zeros. The kernel holds files and packets in whole pages, and
/// processors copy slowly between addresses whose offsets within a page differ by just a few bytes:
/// without the alignment an upload takes a tenth longer.
pub(crate) struct PageBuffer {
    memory: Vec<u8>,
    start: usize,
    most: usize,
}

impl PageBuffer {
    /// An empty buffer that can grow to `most` bytes. It is allocated when it first grows.
    pub(crate) fn new(most: usize) -> Self {
        Self { memory: Vec::new(), start: 0, most }
    }

    /// Grows to `size` bytes, or as far as it can. New bytes are zeros.
    pub(crate) fn grow(&mut self, size: usize) {
        if self.memory.is_empty() {
            self.memory.reserve_exact(self.most + PAGE);
            self.start = self.memory.as_ptr().align_offset(PAGE).min(PAGE);
        }
        let end = self.start + size.min(self.most);
        // Most calls, one for each read.
        if self.memory.len() >= end {
            return;
        }
        // Not `resize`, which is a loop over the bytes where the code is optimised for size.
        let zeros = [0; PAGE];
        while self.memory.len() < end {
            let missing = end - self.memory.len();
            self.memory.extend_from_slice(&zeros[..missing.min(PAGE)]);
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::unversioned::transport::Buffers as _;

    fn receive(buffers: &mut Buffers, bytes: &[u8]) {
        buffers.input_append_buf()[..bytes.len()].copy_from_slice(bytes);
        buffers.input_appended(bytes.len());
    }

    #[test]
    fn unconsumed_input_stays_before_new_input() {
        let mut buffers = Buffers::default();
        assert_eq!(buffers.input(), b"");
        receive(&mut buffers, b"abcdef");
        buffers.input_consume(4);
        assert_eq!(buffers.input(), b"ef");
        receive(&mut buffers, b"gh");
        assert_eq!(buffers.input(), b"efgh");
        buffers.input_consume(4);
        assert_eq!(buffers.input(), b"");
    }

    /// Receives until there is no more room. Returns the number of bytes.
    fn fill(buffers: &mut Buffers) -> usize {
        let mut filled = 0;
        loop {
            let room = buffers.input_append_buf().len();
            if room == 0 {
                return filled;
            }
            receive(buffers, &vec![7; room]);
            filled += room;
        }
    }

    #[test]
    fn the_input_grows_until_it_has_room_for_more_than_the_largest_head() {
        let mut buffers = Buffers::default();
        let first = buffers.input_append_buf().len();
        assert!((1..MAX_HEAD).contains(&first));
        receive(&mut buffers, &vec![7; first - 1]);
        buffers.input_consume(first - 1);
        assert_eq!(buffers.input_append_buf().len(), first);
        assert!(fill(&mut buffers) > MAX_HEAD);
        assert!(buffers.input().iter().all(|byte| *byte == 7));
    }

    #[test]
    fn all_room_is_free_again_once_the_input_is_consumed() {
        let mut buffers = Buffers::default();
        let size = fill(&mut buffers);
        for _ in 0..3 {
            assert!(buffers.input_append_buf().is_empty());
            assert_eq!(buffers.tmp_and_output().0.len(), SCRATCH);
            buffers.input_consume(size);
            assert_eq!(buffers.input_append_buf().len(), size);
            receive(&mut buffers, &vec![7; size]);
        }
        buffers.input_consume(size);
        assert_eq!(buffers.input_append_buf().len(), size);
    }

    #[test]
    fn the_output_grows_with_the_second_part_of_a_body() {
        let mut buffers = Buffers::default();
        let head = buffers.output().len();
        assert!(head > Settings::LARGEST_HEADERS);
        assert_eq!(buffers.tmp_and_output().1.len(), head);
        assert_eq!(buffers.tmp_and_output().1.len(), BUFFER);
        assert_eq!(buffers.output().len(), BUFFER);
    }

    #[test]
    fn input_without_progress_waits_for_more() {
        let mut buffers = Buffers::default();
        receive(&mut buffers, b"HTTP/1.1");
        buffers.input_consume(0);
        assert!(!buffers.can_use_input());
        buffers.input_consume(1);
        assert!(buffers.can_use_input());
        buffers.input_consume(7);
        assert!(!buffers.can_use_input());
    }

    #[test]
    fn output_and_input_do_not_overlap() {
        let mut buffers = Buffers::default();
        receive(&mut buffers, b"early");
        let (scratch, output) = buffers.tmp_and_output();
        scratch.fill(1);
        output.fill(2);
        assert_eq!(buffers.input(), b"early");
        assert!(buffers.output().iter().all(|byte| *byte == 2));
    }

    #[test]
    fn page_buffers_begin_at_a_page_and_keep_their_bytes_as_they_grow() {
        for most in [0, 1, PAGE, 100_000, 1 << 20] {
            let mut pages = PageBuffer::new(most);
            assert!(pages.bytes().is_empty());
            for size in [most / 3, most / 2, most / 4, most, 2 * most] {
                let old = pages.bytes().to_vec();
                pages.grow(size);
                let (kept, new) = pages.bytes().split_at(old.len());
                assert_eq!(kept, old);
                assert!(new.iter().all(|byte| *byte == 0));
                assert_eq!(pages.bytes().len(), old.len().max(size.min(most)));
                assert_eq!(pages.bytes().as_ptr().addr() % PAGE, 0);
                pages.bytes_mut().fill(3);
            }
        }
    }
}
