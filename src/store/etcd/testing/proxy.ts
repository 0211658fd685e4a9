import { connect, createServer, type Socket } from 'node:net';
import { listenLocally } from '../../../base/testing/local-server.ts';

/** Stands between a client and one etcd member, and loses things. */
export interface FaultyProxy {
  endpoint: string;
  /** What the member answers from now on is lost; requests still reach it. */
  dropAnswers(): void;
  /** Of what the member answered, all that no client got. */
  lost(): Buffer;
  /** What the client sends from now on is kept here, until `deliver`. */
  holdRequests(): void;
  /** Bytes held so far. */
  held(): number;
  /** Whether this is among what is held. */
  holds(text: string): boolean;
  /** Ends every connection with the client; those with the member stay for what is held. */
  cutClients(): void;
  /** Hands the member what was held. */
  deliver(): Promise<void>;
  /** Connections of clients: how many there were, and how many there are. */
  connections(): { taken: number; open: number };
  /** Refuses new connections, or not. */
  refuse(refused: boolean): void;
  close(): Promise<void>;
}

interface Pair {
  client: Socket;
  member: Socket;
  held: Buffer[];
}

export async function startProxy(target: string): Promise<FaultyProxy> {
  const [host, port] = target.split(':');
  const pairs = new Set<Pair>();
  let dropping = false;
  let holding = false;
  let refusing = false;
  let taken = 0;
  const lost: Buffer[] = [];
  const server = createServer((client) => {
    if (refusing) return client.destroy();
    taken++;
    const member = connect(Number(port), host);
    const pair: Pair = { client, member, held: [] };
    pairs.add(pair);
    client.on('data', (chunk) => (holding ? pair.held.push(chunk) : member.write(chunk)));
    member.on('data', (chunk) => {
      if (dropping || client.destroyed) lost.push(chunk);
      else client.write(chunk);
    });
    client.on('error', () => {});
    member.on('error', () => {});
    client.on('close', () => {
      if (pair.held.length === 0) member.destroy();
    });
    member.on('close', () => {
      pairs.delete(pair);
      client.destroy();
    });
  });
  const ownPort = await listenLocally(server);
  return {
    endpoint: `127.0.0.1:${ownPort}`,
    dropAnswers: () => void (dropping = true),
    lost: () => Buffer.concat(lost),
    holdRequests: () => void (holding = true),
    held: () => [...pairs].reduce((sum, { held }) => sum + held.reduce((bytes, chunk) => bytes + chunk.length, 0), 0),
    holds: (text) => [...pairs].some(({ held }) => Buffer.concat(held).includes(text)),
    cutClients() {
      for (const { client } of pairs) client.destroy();
      dropping = false;
    },
    async deliver() {
      holding = false;
      for (const { member, held } of pairs) {
        for (const chunk of held.splice(0)) await new Promise((resolve) => member.write(chunk, resolve));
      }
    },
    connections: () => ({ taken, open: [...pairs].filter(({ client }) => !client.destroyed).length }),
    refuse: (refused) => void (refusing = refused),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const { client, member } of pairs) {
        client.destroy();
        member.destroy();
      }
      await closed;
    },
  };
}
