//! The system calls that create descriptors and inotify watches.

/// The place where a call reports the created descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reports {
    /// The result is the descriptor.
    Result,
    /// Two descriptors are stored at the address in this argument.
    Pair(usize),
    /// Descriptors are in the control data of the message header at the address in this argument.
    Message(usize),
    /// The result is a watch descriptor of the inotify instance in argument 0.
    Watch,
}

/// A system call that creates descriptors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Creator {
    /// Number on this architecture.
    pub number: i64,
    /// The place of the created descriptors.
    pub reports: Reports,
    /// Prefixes of the link `/proc/PID/fd/N` that are possible for this call. Empty: any link.
    pub links: &'static [&'static str],
}

const SOCKET: &[&str] = &["socket:"];
const PIPE: &[&str] = &["pipe:"];
const PATH: &[&str] = &["/"];
const ANY: &[&str] = &[];

macro_rules! creators {
    ($($(#[$cfg:meta])* $number:ident, $reports:expr, $links:expr;)*) => {
        /// All creating calls of this architecture.
        pub(crate) const CREATORS: &[Creator] = &[
            $($(#[$cfg])* Creator {
                number: libc::$number,
                reports: $reports,
                links: $links,
            },)*
        ];
    };
}

creators! {
    #[cfg(target_arch = "x86_64")] SYS_open, Reports::Result, PATH;
    #[cfg(target_arch = "x86_64")] SYS_creat, Reports::Result, PATH;
    #[cfg(target_arch = "x86_64")] SYS_pipe, Reports::Pair(0), PIPE;
    #[cfg(target_arch = "x86_64")] SYS_dup2, Reports::Result, ANY;
    #[cfg(target_arch = "x86_64")] SYS_eventfd, Reports::Result, &["anon_inode:[eventfd]"];
    #[cfg(target_arch = "x86_64")] SYS_signalfd, Reports::Result, &["anon_inode:[signalfd]"];
    #[cfg(target_arch = "x86_64")] SYS_epoll_create, Reports::Result, &["anon_inode:[eventpoll]"];
    #[cfg(target_arch = "x86_64")] SYS_inotify_init, Reports::Result, &["anon_inode:inotify"];
    SYS_openat, Reports::Result, PATH;
    SYS_openat2, Reports::Result, PATH;
    SYS_open_by_handle_at, Reports::Result, PATH;
    SYS_open_tree, Reports::Result, PATH;
    SYS_socket, Reports::Result, SOCKET;
    SYS_socketpair, Reports::Pair(3), SOCKET;
    SYS_accept, Reports::Result, SOCKET;
    SYS_accept4, Reports::Result, SOCKET;
    SYS_recvmsg, Reports::Message(1), ANY;
    SYS_pipe2, Reports::Pair(0), PIPE;
    SYS_dup, Reports::Result, ANY;
    SYS_dup3, Reports::Result, ANY;
    SYS_fcntl, Reports::Result, ANY;
    SYS_eventfd2, Reports::Result, &["anon_inode:[eventfd]"];
    SYS_signalfd4, Reports::Result, &["anon_inode:[signalfd]"];
    SYS_timerfd_create, Reports::Result, &["anon_inode:[timerfd]"];
    SYS_epoll_create1, Reports::Result, &["anon_inode:[eventpoll]"];
    SYS_inotify_init1, Reports::Result, &["anon_inode:inotify"];
    SYS_inotify_add_watch, Reports::Watch, ANY;
    SYS_fanotify_init, Reports::Result, &["anon_inode:[fanotify]"];
    SYS_memfd_create, Reports::Result, &["/memfd:"];
    SYS_perf_event_open, Reports::Result, &["anon_inode:[perf_event]"];
    SYS_userfaultfd, Reports::Result, &["anon_inode:[userfaultfd]"];
    SYS_pidfd_open, Reports::Result, &["anon_inode:[pidfd]", "pidfd:"];
    SYS_pidfd_getfd, Reports::Result, ANY;
    SYS_io_uring_setup, Reports::Result, &["anon_inode:[io_uring]"];
    SYS_bpf, Reports::Result, ANY;
    SYS_fsopen, Reports::Result, ANY;
    SYS_fspick, Reports::Result, ANY;
    SYS_fsmount, Reports::Result, ANY;
    SYS_landlock_create_ruleset, Reports::Result, ANY;
    SYS_mq_open, Reports::Result, PATH;
}

impl Creator {
    /// Returns the creating call with `number`.
    pub(crate) fn of(number: i64) -> Option<&'static Self> {
        CREATORS.iter().find(|c| c.number == number)
    }

    /// Returns true if a descriptor of this call can have the link `link`.
    pub(crate) fn can_have_link(&self, link: &str) -> bool {
        self.links.is_empty() || self.links.iter().any(|prefix| link.starts_with(prefix))
    }
}
