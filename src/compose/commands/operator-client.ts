import { existsSync } from 'node:fs';
import { Client } from '../../client/client.ts';
import { transportFromKubeconfig } from '../../client/kubeconfig.ts';
import { CommandError } from '../command-error.ts';
import { type DataDirectory, openDataDirectory } from '../data-directory.ts';
import { readEndpoints, urlOf } from '../server-endpoint.ts';

/** The operator's client of a running Skypod. @throws CommandError when there is none at that data directory */
export async function openOperatorClient(
  dataDir: string,
): Promise<{ data: DataDirectory; client: Client; server: string; peers: string[] }> {
  const data = openDataDirectory(dataDir, { create: false });
  if (!existsSync(data.systemKubeconfig))
    throw new CommandError(`there is no Skypod in ${data.root}: start one with ./skypod up --data-dir ${dataDir}`);
  // The kubeconfig points into the system tenant; the client names the tenant in every path itself.
  const [server, ...peers] = readEndpoints(data).map(urlOf) as [string, ...string[]];
  const transport = transportFromKubeconfig(data.systemKubeconfig, { server: [server, ...peers] });
  return { data, client: new Client(transport), server, peers };
}

/** Turns a refused connection into the line a person needs. */
export function unreachable(error: unknown, server: string): unknown {
  const code = (error as { code?: string; cause?: { code?: string } }).code ?? (error as any).cause?.code;
  return code === 'ECONNREFUSED' || code === 'ECONNRESET'
    ? new CommandError(`Skypod does not answer at ${server}: is \`./skypod up\` running?`)
    : error;
}
