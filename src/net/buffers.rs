//! The buffers of a connection, in place of ureq's own, which zero all of their memory for the
//! shortest request. These are memory that the kernel provides page by page, as it is touched.

use ureq::unversioned::transport;

/// How many bytes ureq moves at once, each way.
pub(crate) const BUFFER: usize = 64 * 1024;
/// The largest response head that is read, in bytes.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// Room for more than the largest head, so that a larger one is recognised.
const INPUT: usize = MAX_HEAD + 4096;
/// Room after the input that is always free: ureq reads the request body into it, however much of
/// an early response the input holds.
const SCRATCH: usize = 16 * 1024;
/// A page of memory on most machines. Where they are larger, this does no harm.
const PAGE: usize = 4096;

/// An output and an input buffer, allocated when one of them is needed first.
#[derive(Default)]
pub(crate) struct Buffers {
    /// The output, then the input: together they are large enough for pages from the kernel.
    memory: Option<PageBuffer>,
    /// The range of the input that has arrived and is not consumed yet.
    start: usize,
    end: usize,
    /// The last call that consumed input made progress, so the rest is worth reading.
    made_progress: bool,
}

impl Buffers {
    fn halves(&mut self) -> (&mut [u8], &mut [u8]) {
        let memory = self.memory.get_or_insert_with(|| PageBuffer::new(BUFFER + INPUT + SCRATCH));
        memory.bytes_mut().split_at_mut(BUFFER)
    }
}

impl transport::Buffers for Buffers {
    fn output(&mut self) -> &mut [u8] {
        self.halves().0
    }

    fn input(&self) -> &[u8] {
        match &self.memory {
            Some(memory) => &memory.bytes()[BUFFER..][self.start..self.end],
            None => &[],
        }
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        let room = self.tmp_and_output().0;
        let size = room.len() - SCRATCH;
        &mut room[..size]
    }

    fn input_appended(&mut self, amount: usize) {
        self.end += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        self.made_progress = amount > 0;
        self.start += amount;
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        let unused = self.start..self.end;
        (self.start, self.end) = (0, unused.len());
        let end = self.end;
        let (output, input) = self.halves();
        if unused.start > 0 {
            input.copy_within(unused, 0);
        }
        (&mut input[end..], output)
    }

    fn can_use_input(&self) -> bool {
        self.made_progress && self.start < self.end
    }
}

/// Zeroed memory that begins at a page boundary. C libraries usually take 128 KiB and more from the
/// kernel, which provides it page by page, as it is touched, and put a few bytes of their own
/// before it. The kernel holds files and packets in whole pages, and processors copy slowly between
/// addresses whose offsets within a page differ by just a few bytes: without the alignment an
/// upload takes a tenth longer.
pub(crate) struct PageBuffer {
    memory: Vec<u8>,
    start: usize,
    size: usize,
}

impl PageBuffer {
    pub(crate) fn new(size: usize) -> Self {
        let memory = vec![0; size + PAGE];
        let start = memory.as_ptr().align_offset(PAGE).min(PAGE);
        Self { memory, start, size }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..][..self.size]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..][..self.size]
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

    #[test]
    fn all_room_is_free_again_once_the_input_is_consumed() {
        let mut buffers = Buffers::default();
        let size = buffers.input_append_buf().len();
        assert!(size > MAX_HEAD);
        for _ in 0..3 {
            receive(&mut buffers, &vec![7; size]);
            assert!(buffers.input_append_buf().is_empty());
            assert_eq!(buffers.tmp_and_output().0.len(), SCRATCH);
            buffers.input_consume(size);
        }
        assert_eq!(buffers.input_append_buf().len(), size);
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
    fn page_buffers_begin_at_a_page_and_have_the_requested_size() {
        for size in [0, 1, PAGE, 100_000, 1 << 20] {
            let mut pages = PageBuffer::new(size);
            assert_eq!(pages.bytes().len(), size);
            assert_eq!(pages.bytes_mut().len(), size);
            assert_eq!(pages.bytes().as_ptr().addr() % PAGE, 0);
        }
    }
}
