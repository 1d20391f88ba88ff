// Processes that hold listening TCP sockets of the loopback interface: `listeners PROCESSES SOCKETS_EACH`
// prints "ready PORT" with the last one's port, waits for the end of its input, and ends them.
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int listening_port(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr*)&address, size) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, (struct sockaddr*)&address, &size) != 0) {
    return 0;
  }
  return ntohs(address.sin_port);
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  int processes = atoi(arguments[1]), sockets = atoi(arguments[2]), port = 0;
  int reports[2];
  if (pipe(reports) != 0) return 1;
  for (int i = 0; i < processes; i++) {
    pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      close(STDIN_FILENO);
      for (int each = 0; each < sockets; each++) {
        port = listening_port();
        if (port == 0) break;
      }
      if (write(reports[1], &port, sizeof(port)) != sizeof(port)) return 1;
      for (;;) pause();
    }
    if (read(reports[0], &port, sizeof(port)) != sizeof(port) || port == 0) return 1;
  }
  printf("ready %d\n", port);
  fflush(stdout);
  while (getchar() != EOF) {
  }
  signal(SIGTERM, SIG_IGN);
  kill(0, SIGTERM);
  while (wait(NULL) > 0) {
  }
  return 0;
}
