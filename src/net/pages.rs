//! Memory for bytes that move in large pieces.

/// A page of memory on most machines. Where they are larger, this does no harm.
const PAGE: usize = 4096;

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
