import type { ClientRequest } from 'node:http';

const interimLimit = 100;

/** Answers of 1xx before the one that counts are free to send and cost us their reading: an endless row of them fails. */
export function limitInterimAnswers(outgoing: ClientRequest): void {
  let count = 0;
  outgoing.on('information', () => {
    if (++count > interimLimit) outgoing.destroy(new Error('net/http: too many 1xx informational responses'));
  });
}
