//! Registers at a stop, by architecture: call number, arguments, result and the start of unwinding.

use framehop::Unwinder;
use nix::sys::ptrace;
use nix::unistd::Pid;

#[cfg(target_arch = "aarch64")]
use framehop::aarch64 as native;
#[cfg(target_arch = "x86_64")]
use framehop::x86_64 as native;

#[cfg(target_arch = "aarch64")]
pub(crate) type Unwind<D> = native::UnwinderAarch64<D>;
#[cfg(target_arch = "x86_64")]
pub(crate) type Unwind<D> = native::UnwinderX86_64<D>;

#[cfg(target_arch = "aarch64")]
pub(crate) type Cache = native::CacheAarch64;
#[cfg(target_arch = "x86_64")]
pub(crate) type Cache = native::CacheX86_64;

/// The registers of a stopped thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers(libc::user_regs_struct);

impl Registers {
    /// Reads the registers; `None` if the thread has ended.
    pub(crate) fn of(thread: Pid) -> Option<Self> {
        ptrace::getregs(thread).ok().map(Self)
    }
}

#[cfg(target_arch = "x86_64")]
impl Registers {
    /// Returns the number of the system call.
    pub(crate) fn call(&self) -> i64 {
        self.0.orig_rax as i64
    }

    /// Returns the result of the system call, at its exit.
    pub(crate) fn result(&self) -> i64 {
        self.0.rax as i64
    }

    /// Returns argument `index` of the system call. At the exit, argument 0 is still valid.
    pub(crate) fn argument(&self, index: usize) -> u64 {
        [self.0.rdi, self.0.rsi, self.0.rdx, self.0.r10, self.0.r8, self.0.r9][index]
    }

    /// Returns the stack pointer.
    pub(crate) fn stack_pointer(&self) -> u64 {
        self.0.rsp
    }

    /// Returns the addresses of the call stack, innermost first, at most `limit`.
    pub(crate) fn unwind<D: std::ops::Deref<Target = [u8]>>(
        &self,
        unwinder: &Unwind<D>,
        cache: &mut Cache,
        limit: usize,
        mut word: impl FnMut(u64) -> Option<u64>,
    ) -> Vec<u64> {
        let registers = native::UnwindRegsX86_64::new(self.0.rip, self.0.rsp, self.0.rbp);
        let mut read = |address| word(address).ok_or(());
        collect(unwinder.iter_frames(self.0.rip, registers, cache, &mut read), limit)
    }
}

#[cfg(target_arch = "aarch64")]
impl Registers {
    /// Returns the number of the system call.
    pub(crate) fn call(&self) -> i64 {
        self.0.regs[8] as i64
    }

    /// Returns the result of the system call, at its exit.
    pub(crate) fn result(&self) -> i64 {
        self.0.regs[0] as i64
    }

    /// Returns argument `index` of the system call. At the exit, argument 0 is overwritten by the result.
    pub(crate) fn argument(&self, index: usize) -> u64 {
        self.0.regs[index]
    }

    /// Returns the stack pointer.
    pub(crate) fn stack_pointer(&self) -> u64 {
        self.0.sp
    }

    /// Returns the addresses of the call stack, innermost first, at most `limit`.
    pub(crate) fn unwind<D: std::ops::Deref<Target = [u8]>>(
        &self,
        unwinder: &Unwind<D>,
        cache: &mut Cache,
        limit: usize,
        mut word: impl FnMut(u64) -> Option<u64>,
    ) -> Vec<u64> {
        let registers = native::UnwindRegsAarch64::new(self.0.regs[30], self.0.sp, self.0.regs[29]);
        let mut read = |address| word(address).ok_or(());
        collect(unwinder.iter_frames(self.0.pc, registers, cache, &mut read), limit)
    }
}

fn collect<U, F>(mut frames: framehop::UnwindIterator<'_, '_, '_, U, F>, limit: usize) -> Vec<u64>
where
    U: Unwinder,
    F: FnMut(u64) -> Result<u64, ()>,
{
    let mut addresses = Vec::with_capacity(32);
    // An unwinding error ends the stack; the frames so far are valid.
    while addresses.len() < limit
        && let Ok(Some(frame)) = frames.next()
    {
        addresses.push(frame.address());
    }
    addresses
}
