//! What a connection reads into and writes from. ureq has buffers too; they fill all of themselves with zeros for the
//! shortest request. These are memory that the kernel gives page by page, as it is touched.

use ureq::unversioned::transport;

/// Bytes that move at once, each way, through ureq.
pub(crate) const BUFFER: usize = 64 * 1024;
/// The most of an answer's head that is read, in bytes.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// The largest head, and a little of what follows, so that a larger one is seen as such.
const INPUT: usize = MAX_HEAD + 4096;
/// Behind the input there is always room for what ureq reads of a request's body, however much of an answer came
/// early.
const SCRATCH: usize = 16 * 1024;
/// A page of memory on most machines. Where they are larger, this does no harm.
const PAGE: usize = 4096;

/// An output and an input, made when one of them is needed first.
#[derive(Default)]
pub(crate) struct Buffers {
    /// The output, then the input: one piece is large enough to come from the kernel.
    memory: Option<PageBuffer>,
    /// What of the input has been read, and not been used yet.
    start: usize,
    end: usize,
    /// The last look at the input made use of some.
    is_usable: bool,
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
        self.is_usable = amount > 0;
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
        self.is_usable && self.start < self.end
    }
}

/// Zeroed memory that begins where a page begins. As a rule the C libraries take 128 KiB and above from the kernel,
/// which gives it page by page, as it is touched, and put a few bytes of their own before it. The kernel has files
/// and packets in whole pages, and a processor copies slowly between places that differ by just a few bytes in their
/// place within a page: an upload takes a tenth longer.
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

    fn came(buffers: &mut Buffers, bytes: &[u8]) {
        buffers.input_append_buf()[..bytes.len()].copy_from_slice(bytes);
        buffers.input_appended(bytes.len());
    }

    #[test]
    fn what_is_not_used_stays_before_what_comes_next() {
        let mut buffers = Buffers::default();
        assert_eq!(buffers.input(), b"");
        came(&mut buffers, b"abcdef");
        buffers.input_consume(4);
        assert_eq!(buffers.input(), b"ef");
        came(&mut buffers, b"gh");
        assert_eq!(buffers.input(), b"efgh");
        buffers.input_consume(4);
        assert_eq!(buffers.input(), b"");
    }

    #[test]
    fn the_whole_room_is_there_again_when_all_is_used() {
        let mut buffers = Buffers::default();
        let size = buffers.input_append_buf().len();
        assert!(size > MAX_HEAD);
        for _ in 0..3 {
            came(&mut buffers, &vec![7; size]);
            assert!(buffers.input_append_buf().is_empty());
            assert_eq!(buffers.tmp_and_output().0.len(), SCRATCH);
            buffers.input_consume(size);
        }
        assert_eq!(buffers.input_append_buf().len(), size);
    }

    #[test]
    fn input_that_was_no_use_waits_for_more() {
        let mut buffers = Buffers::default();
        came(&mut buffers, b"HTTP/1.1");
        buffers.input_consume(0);
        assert!(!buffers.can_use_input());
        buffers.input_consume(1);
        assert!(buffers.can_use_input());
        buffers.input_consume(7);
        assert!(!buffers.can_use_input());
    }

    #[test]
    fn output_and_input_do_not_touch() {
        let mut buffers = Buffers::default();
        came(&mut buffers, b"early");
        let (scratch, output) = buffers.tmp_and_output();
        scratch.fill(1);
        output.fill(2);
        assert_eq!(buffers.input(), b"early");
        assert!(buffers.output().iter().all(|byte| *byte == 2));
    }

    #[test]
    fn they_begin_with_a_page_and_are_as_large_as_asked_for() {
        for size in [0, 1, PAGE, 100_000, 1 << 20] {
            let mut pages = PageBuffer::new(size);
            assert_eq!(pages.bytes().len(), size);
            assert_eq!(pages.bytes_mut().len(), size);
            assert_eq!(pages.bytes().as_ptr().addr() % PAGE, 0);
        }
    }
}
