import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

/** Resolvers of the machine, as /etc/resolv.conf names them; IPv6 ones included. */
export function machineResolvers(path = '/etc/resolv.conf'): string[] {
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, address]) => address!);
}

export interface Resolver {
  address: string;
  port: number;
}

const UDP_TIMEOUT_MS = 2000;
const TCP_TIMEOUT_MS = 5000;

/**
 * Sends a query to the resolvers in turn until one answers.
 * @param query a whole message; its number is replaced by a random one, as is the sending port
 * @param wholeAnswer ask by TCP when the answer by UDP is cut
 * @returns the answer with the query's own number
 * @throws when none answers
 */
export async function askUpstream(resolvers: Resolver[], query: Buffer, wholeAnswer: boolean): Promise<Buffer> {
  let failure: unknown = new Error('the machine has no resolvers');
  for (const resolver of resolvers) {
    try {
      let answer = await askByUdp(resolver, query);
      const isCut = (answer[2]! & 2) !== 0;
      if (isCut && wholeAnswer) answer = await askByTcp(resolver, query);
      query.copy(answer, 0, 0, 2);
      return answer;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function withRandomNumber(query: Buffer): Buffer {
  const copy = Buffer.from(query);
  crypto.getRandomValues(copy.subarray(0, 2));
  return copy;
}

function askByUdp({ address, port }: Resolver, query: Buffer): Promise<Buffer> {
  const message = withRandomNumber(query);
  return new Promise((resolve, reject) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const end = (error: Error | undefined, answer?: Buffer) => {
      clearTimeout(timer);
      socket.close();
      if (answer === undefined) reject(error);
      else resolve(answer);
    };
    const timer = setTimeout(() => end(new Error(`${address} did not answer`)), UDP_TIMEOUT_MS);
    socket.on('error', (error) => end(error));
    socket.on('message', (answer) => {
      // The socket is connected, so it is from the resolver; a late answer to something else is not ours.
      if (answer.length >= 12 && answer[0] === message[0] && answer[1] === message[1]) end(undefined, answer);
    });
    socket.connect(port, address, () => socket.send(message));
  });
}

function askByTcp({ address, port }: Resolver, query: Buffer): Promise<Buffer> {
  const message = withRandomNumber(query);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    const timer = setTimeout(() => socket.destroy(new Error(`${address} did not answer`)), TCP_TIMEOUT_MS);
    let received = Buffer.alloc(0);
    socket.on('connect', () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length);
      socket.write(Buffer.concat([length, message]));
    });
    socket.on('data', (data) => {
      received = Buffer.concat([received, data]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      resolve(received.subarray(2, 2 + received.readUInt16BE(0)));
      socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      reject(new Error(`${address} closed the connection`));
    });
  });
}
