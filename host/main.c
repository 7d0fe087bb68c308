/* Picks the verb; the only place that ends the process. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return pl_cli_main(argc, argv);
}
