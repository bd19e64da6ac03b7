/* backup: the mesh is there, but one path is in use, the most preferred of those in service; all others are backups, and
 * the peer knows it. When it goes the next one becomes the regular one, and gives way again when it is back. */
#include <mptcp/path_manager.h>

static void plan(struct path_plan *p) {
    struct path_pair *in_use = NULL;
    path_manager_fullmesh.plan(p);
    for (unsigned i = 0; i < p->count && !in_use; i++)
        if (p->pairs[i].works) in_use = &p->pairs[i];
    for (unsigned i = 0; i < p->count; i++) {
        struct path_pair *pair = &p->pairs[i];
        /* None works: whichever comes first may be used as it is. */
        if (in_use || i > 0) pair->standby = pair != in_use;
        else pair->standby = false;
    }
}

const struct path_manager_ops path_manager_backup = {.name = "backup", .plan = plan, .prioritises = true};
