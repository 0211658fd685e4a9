/* Holds a pod's namespaces: reaps whatever is left to it, ends on SIGTERM or SIGINT. */
#include <signal.h>
#include <sys/wait.h>

int main(void) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, 0);
  for (;;) {
    int received = sigwaitinfo(&signals, 0);
    if (received == SIGTERM || received == SIGINT) return 0;
    while (waitpid(-1, 0, WNOHANG) > 0) {
    }
  }
}
