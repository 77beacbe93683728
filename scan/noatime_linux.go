package scan

import "syscall"

const noAtime = syscall.O_NOATIME
