/* Opens two eventfds each 20 ms and closes one of them. */
#include <sys/eventfd.h>
#include <unistd.h>

static void handle(void)
{
    eventfd(0, 0); /* the leak */
    close(eventfd(0, 0));
}

int main(void)
{
    for (;;) {
        handle();
        usleep(20000);
    }
}
