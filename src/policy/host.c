#include "host.h"
#include "module.h"

#include <pthread.h>

static struct weir_host table;
static pthread_once_t filled = PTHREAD_ONCE_INIT;

static void
fill(void)
{
    table.size = sizeof(table);
    table.abi_major = WEIR_ABI_MAJOR;
    table.abi_minor = WEIR_ABI_MINOR;
    host_fill_conf(&table);
    host_fill_exchange(&table);
    host_fill_body(&table);
    host_fill_world(&table);
    host_fill_fetch(&table);
    table.state_get = policy_state_get;
    table.state_data = keyed_state_data;
    table.state_hold = keyed_state_hold;
    table.state_put = keyed_state_put;
}

const struct weir_host *
host_table(void)
{
    pthread_once(&filled, fill);
    return &table;
}
