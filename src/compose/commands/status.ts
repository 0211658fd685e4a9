import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerInstance, Host, Tenant } from '../../api/pool.ts';
import { CONTAINER_INSTANCES, HOSTS, TENANTS } from '../../api/resources.ts';
import { SYSTEM_TENANT } from '../../client/client.ts';
import { CommandError } from '../command-error.ts';
import { containerdPidFile } from '../host-paths.ts';
import { lockHolder } from '../process-lock.ts';
import { openOperatorClient, unreachable } from './operator-client.ts';
import { formatTable } from './table.ts';

interface StatusOptions {
  dataDir: string;
  output: string;
}

/** What `skypod status -o json` prints. */
interface StatusReport {
  dataDirectory: string;
  server: string;
  controlPlane: { pid?: number; ready: boolean };
  hosts: { name: string; zones: string[]; ready: boolean; instances: number; pid?: number }[];
  containerd?: { pidFile: string };
  tenants: number;
  instances: Record<string, number>;
}

export async function showStatus({ dataDir, output }: StatusOptions): Promise<void> {
  if (output !== 'table' && output !== 'json') throw new CommandError(`-o ${output} is not known: table or json`);
  const { data, client, server } = await openOperatorClient(dataDir);
  const controlPlanePid = lockHolder(join(data.run, 'control-plane.pid'));
  const hostPid = lockHolder(join(data.run, 'host.pid'));
  const pidFile = containerdPidFile(data);
  try {
    const [hosts, tenants, instances] = await Promise.all([
      client.resource<Host>(SYSTEM_TENANT, HOSTS).list(),
      client.resource<Tenant>(SYSTEM_TENANT, TENANTS).list(),
      client.resource<ContainerInstance>(SYSTEM_TENANT, CONTAINER_INSTANCES).list(),
    ]);
    const phases: Record<string, number> = {};
    const carried = new Map<string, number>();
    for (const { spec, status } of instances.items) {
      const phase = status?.phase ?? 'Pending';
      phases[phase] = (phases[phase] ?? 0) + 1;
      if (spec.hostName !== undefined) carried.set(spec.hostName, (carried.get(spec.hostName) ?? 0) + 1);
    }
    const report: StatusReport = {
      dataDirectory: data.root,
      server,
      controlPlane: { pid: controlPlanePid, ready: true },
      hosts: hosts.items.map(({ metadata, spec, status }) => ({
        name: metadata.name,
        zones: spec.zones ?? [spec.zone],
        ready: status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false,
        instances: carried.get(metadata.name) ?? 0,
        ...(hostPid !== undefined && { pid: hostPid }),
      })),
      ...(existsSync(pidFile) && { containerd: { pidFile } }),
      tenants: tenants.items.length,
      instances: phases,
    };
    process.stdout.write(output === 'json' ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report));
  } catch (error) {
    throw unreachable(error, server);
  }
}

function formatReport(report: StatusReport): string {
  const instances = Object.entries(report.instances).map(([phase, count]) => `${count} ${phase}`);
  const lines = [
    `control plane   ${report.controlPlane.ready ? 'Ready' : 'NotReady'}   ${report.server}${report.controlPlane.pid === undefined ? '' : `   pid ${report.controlPlane.pid}`}`,
    `data            ${report.dataDirectory}`,
    `tenants         ${report.tenants}`,
    `instances       ${instances.join(', ') || 'none'}`,
    '',
    formatTable(
      ['HOST', 'STATUS', 'ZONES', 'INSTANCES'],
      report.hosts.map(({ name, ready, zones, instances }) => [
        name,
        ready ? 'Ready' : 'NotReady',
        zones.join(','),
        String(instances),
      ]),
    ),
  ];
  return `${lines.join('\n')}\n`;
}
