#include "privileges.h"

#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

bool privileges_suffice(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capget, &header, data) != 0) return true; /* then what needs them will tell */
    uint32_t wanted = 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW;
    return (data[0].effective & wanted) == wanted;
}

void privileges_explain(const char *verb) {
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = 0;
    fprintf(stderr,
            "braid %s: needs CAP_NET_ADMIN and CAP_NET_RAW: run it as root (sudo), or once: "
            "sudo setcap cap_net_admin,cap_net_raw+ep %s\n",
            verb, length > 0 ? path : "braid");
}
