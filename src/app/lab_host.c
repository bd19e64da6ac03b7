/* Hosts: each a network, a view of the file system, and a name. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lab_internal.h"
#include "mounts.h"

#define LOOPBACK 1 /* the first interface of every network namespace */

static int open_namespace(const char *kind) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/thread-self/ns/%s", kind);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static bool write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return false;
    size_t length = strlen(text);
    bool written = write(fd, text, length) == (ssize_t)length;
    return close(fd) == 0 && written;
}

/* Settings of the network the calling thread is in. */
static bool set_sysctl(const char *name, const char *value) {
    char path[256];
    snprintf(path, sizeof(path), "/proc/sys/%s", name);
    for (char *c = path + strlen("/proc/sys/"); *c != '\0'; c++)
        if (*c == '.') *c = '/';
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool written = write(fd, value, strlen(value)) >= 0;
    int error = errno;
    close(fd);
    errno = error;
    return written;
}

/* ---- the base ---- */

bool lab_prepare(struct lab *lab) {
    int error = mounts_make(MS_PRIVATE);
    if (error != 0) {
        lab_say("the lab's mounts cannot be made its own: %s", mounts_error_text(error));
        return false;
    }
    /* Where /proc is partly hidden, as in some containers, a new one is refused; the old one then shows the
     * pids of outside, which is no harm. */
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) errno = 0;
    if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0 ||
        mkdir(LAB_TEMPORARY, 0755) != 0) {
        lab_say("there can be no temporary folder on /run: %s", strerror(errno));
        return false;
    }
    lab->base_network = open_namespace("net");
    lab->base_mounts = open_namespace("mnt");
    lab->base_names = open_namespace("uts");
    lab->control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (lab->base_network < 0 || lab->base_mounts < 0 || lab->base_names < 0 || lab->control < 0 ||
        netlink_open(&lab->netlink) != 0) {
        lab_say("the lab's own namespaces cannot be opened: %s", strerror(errno));
        return false;
    }
    /* The emulator's ends of links shall say nothing of their own. */
    set_sysctl("net.ipv6.conf.default.disable_ipv6", "1");
    return true;
}

void lab_enter_network(struct lab *lab, int host) {
    if (setns(host < 0 ? lab->base_network : lab->hosts[host].network, CLONE_NEWNET) == 0) return;
    lab_say("a network namespace cannot be entered: %s", strerror(errno));
    exit(1);
}

/* ---- one host ---- */

static void add_host_names(const struct scenario *scenario, const struct scenario_end *end, char *text,
                           size_t room) {
    for (size_t i = 0; i < end->address_count; i++) {
        char address[IP_ADDRESS_TEXT_MAX];
        size_t length = strlen(text);
        snprintf(text + length, room - length, "%s\t%s\n",
                 ip_address_format(&end->addresses[i].address, address), scenario->hosts[end->host].name);
    }
}

static bool write_host_names(const struct scenario *scenario) {
    size_t room = 256;
    for (size_t i = 0; i < scenario->link_count; i++)
        room += 128 * (scenario->links[i].ends[0].address_count + scenario->links[i].ends[1].address_count);
    char *text = calloc(1, room);
    if (text == NULL) return false;
    snprintf(text, room, "127.0.0.1\tlocalhost\n::1\tlocalhost\n");
    for (size_t i = 0; i < scenario->link_count; i++)
        for (unsigned e = 0; e < 2; e++)
            add_host_names(scenario, &scenario->links[i].ends[e], text, room);
    bool written = write_text(LAB_TEMPORARY "/.hosts", text);
    free(text);
    return written;
}

/* Where /etc/resolv.conf leads into a /run that is not there any more, the way is made anew. */
static bool bind_resolver(const struct scenario_host *host) {
    char path[128], text[128], target[256];
    snprintf(path, sizeof(path), LAB_TEMPORARY "/.resolv.%s", host->name);
    snprintf(text, sizeof(text), "nameserver %s\n", host->nameserver);
    if (!write_text(path, text)) return false;
    ssize_t length = readlink("/etc/resolv.conf", target, sizeof(target) - 1);
    if (length > 0) {
        target[length] = '\0';
        char *run = strstr(target, "/run/");
        for (char *slash = run == NULL ? NULL : strchr(run + 5, '/'); slash != NULL;
             slash = strchr(slash + 1, '/')) {
            *slash = '\0';
            mkdir(run, 0755);
            *slash = '/';
        }
        if (run != NULL && access(run, F_OK) != 0) write_text(run, "");
    }
    return mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;
}

/* A /run of its own, so that programs that leave their marks there do not meet; but ${TMP} is everybody's. */
static bool mount_run(void) {
    char shared[64];
    int fd = open(LAB_TEMPORARY, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    snprintf(shared, sizeof(shared), "/proc/self/fd/%d", fd);
    bool good = mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") == 0 &&
                mkdir(LAB_TEMPORARY, 0755) == 0 && mount(shared, LAB_TEMPORARY, NULL, MS_BIND, NULL) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return good;
}

static bool mount_view(const struct scenario_host *host) {
    if (!mount_run()) {
        lab_say_at(host->place, "host %s: no /run of its own: %s", host->name, strerror(errno));
        return false;
    }
    /* Good to have; hosts work without. */
    if (mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL) != 0) errno = 0;
    if (mount(LAB_TEMPORARY "/.hosts", "/etc/hosts", NULL, MS_BIND, NULL) != 0) errno = 0;
    if (host->nameserver != NULL && !bind_resolver(host)) {
        lab_say_at(host->place, "host %s: no name server: %s", host->name, strerror(errno));
        return false;
    }
    return true;
}

static bool set_sysctls(const struct scenario_host *host) {
    static const char *const always[][2] = {
        /* Not what the machine outside happens to have. */
        {"net.ipv4.conf.all.rp_filter", "0"},
        {"net.ipv4.conf.default.rp_filter", "0"},
        /* Addresses work at once, and nobody asks for routers that are not there. */
        {"net.ipv6.conf.all.accept_dad", "0"},
        {"net.ipv6.conf.default.accept_dad", "0"},
        {"net.ipv6.conf.all.router_solicitations", "0"},
        {"net.ipv6.conf.default.router_solicitations", "0"},
        {"net.ipv4.ping_group_range", "0 0"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(always); i++)
        set_sysctl(always[i][0], always[i][1]);
    set_sysctl("net.ipv4.ip_forward", host->forwarding ? "1" : "0");
    set_sysctl("net.ipv6.conf.all.forwarding", host->forwarding ? "1" : "0");
    for (size_t i = 0; i < host->sysctl_count; i++) {
        const struct scenario_sysctl *sysctl = &host->sysctls[i];
        if (set_sysctl(sysctl->name, sysctl->value)) continue;
        lab_say_at(sysctl->place, "%s cannot be set to \"%s\": %s", sysctl->name, sysctl->value,
                   strerror(errno));
        return false;
    }
    return true;
}

static bool open_host(struct lab_host *host) {
    host->network = open_namespace("net");
    host->mounts = open_namespace("mnt");
    host->names = open_namespace("uts");
    host->control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (host->network < 0 || host->mounts < 0 || host->names < 0 || host->control < 0) return false;
    int error = netlink_open(&host->netlink);
    if (error == 0) error = netlink_link_set_up(host->netlink, LOOPBACK, true);
    errno = -error;
    return error == 0;
}

static bool create_host(struct lab_host *host) {
    const struct scenario_host *config = host->config;
    if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS) != 0 ||
        sethostname(config->name, strlen(config->name)) != 0) {
        lab_say_at(config->place, "host %s: %s", config->name, strerror(errno));
        return false;
    }
    if (!mount_view(config) || !set_sysctls(config)) return false;
    if (open_host(host)) return true;
    lab_say_at(config->place, "host %s: %s", config->name, strerror(errno));
    return false;
}

bool lab_create_hosts(struct lab *lab) {
    const struct scenario *scenario = lab->scenario;
    lab->hosts = calloc(scenario->host_count, sizeof(*lab->hosts));
    if (lab->hosts == NULL || !write_host_names(scenario)) {
        lab_say("no room for the hosts: %s", strerror(errno));
        return false;
    }
    for (size_t i = 0; i < scenario->host_count; i++) {
        lab->hosts[i].config = &scenario->hosts[i];
        bool created = create_host(&lab->hosts[i]);
        if (setns(lab->base_mounts, CLONE_NEWNS) != 0 || setns(lab->base_names, CLONE_NEWUTS) != 0 ||
            setns(lab->base_network, CLONE_NEWNET) != 0) {
            lab_say("the lab's own namespaces cannot be entered again: %s", strerror(errno));
            return false;
        }
        if (!created) return false;
    }
    return true;
}
