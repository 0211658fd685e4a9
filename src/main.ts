import { Command } from 'commander';
import { runControlPlaneCommand, runHostCommand, runUp } from './compose/all-in-one.ts';
import { reportAndExit } from './compose/command-error.ts';
import { addControlPlaneOptions } from './compose/control-plane-settings.ts';

// Commands load what they need when they are called: `--help` should not open a store.
const program = new Command('skypod')
  .description('A serverless Kubernetes that anyone can host')
  .configureOutput({
    outputError: (text, write) => {
      const line = text
        .trim()
        .replace(/^error: /, 'skypod: ')
        .replace('\n', ' ');
      write(`${line} (--help tells what there is)\n`);
    },
  })
  .configureHelp({ sortSubcommands: false });

const privilegedTenants = [
  '--privileged-tenants <list>',
  'tenants whose containers may be privileged, that is, root on this machine (default: none)',
] as const;
const registries = (byDefault: string) =>
  [
    '--registries <list>',
    'where images may come from: public (registries at public addresses), any, HOST[:PORT] or HOST:* for others, wherever they are',
    byDefault,
  ] as const;
const dataDirectory = ['--data-dir <directory>', 'where all state lives', '.skypod'] as const;

addControlPlaneOptions(program.command('up'))
  .description('start the control plane and a host on this machine')
  .option(...dataDirectory)
  .option('--listen <host:port>', 'address of the Kubernetes API', '127.0.0.1:6443')
  .option('--runtime <name>', 'containerd, or simulated (no root, no processes)', 'containerd')
  .option('--zones <list>', 'comma-separated names of the zones', 'zone-a,zone-b')
  .option(...privilegedTenants)
  // One machine, and what is tried on it: `make images` serves on loopback. Hosts of a pool take public ones alone.
  .option(...registries('public,127.0.0.1:*,localhost:*'))
  .action(runUp);

const tenant = program.command('tenant').description('create, list and delete tenants');
tenant
  .command('create <name>')
  .description('create a tenant and write DATA/tenants/NAME.kubeconfig')
  .option(...dataDirectory)
  .action(async (name, options) => (await import('./compose/commands/tenant.ts')).createTenant(name, options));
tenant
  .command('list')
  .description('list the tenants')
  .option(...dataDirectory)
  .action(async (options) => (await import('./compose/commands/tenant.ts')).listTenants(options));
tenant
  .command('delete <name>')
  .description('delete a tenant with everything in it')
  .option(...dataDirectory)
  .action(async (name, options) => (await import('./compose/commands/tenant.ts')).deleteTenant(name, options));

program
  .command('usage')
  .description('print what was used: instance seconds, vCPU-seconds, GiB-seconds')
  .option(...dataDirectory)
  .option('--tenant <name>', 'one tenant only')
  .option('-o, --output <format>', 'table, json or csv', 'table')
  .action(async (options) => (await import('./compose/commands/usage.ts')).showUsage(options));

program
  .command('reencrypt [resources...]')
  .description(
    'store again, in every tenant, what an old key encrypts (secrets, or those named: configmaps *.apps *.*), so that the key may go',
  )
  .option(...dataDirectory)
  .action(async (resources, options) =>
    (await import('./compose/commands/reencrypt.ts')).reencrypt(resources, options),
  );

program
  .command('status')
  .description('print what runs and how it is')
  .option(...dataDirectory)
  .option('-o, --output <format>', 'table or json', 'table')
  .action(async (options) => (await import('./compose/commands/status.ts')).showStatus(options));

program
  .command('down')
  .description('end every container of this data directory and remove namespaces, mounts and cgroups')
  .option(...dataDirectory)
  .action(async (options) => (await import('./compose/commands/down.ts')).takeDown(options));

addControlPlaneOptions(program.command('control-plane'))
  .description('run the control plane alone (`up` starts it)')
  .option(...dataDirectory)
  .option('--listen <host:port>', 'address of the Kubernetes API', '127.0.0.1:6443')
  .option('--zones <list>', 'comma-separated names of the zones', 'zone-a,zone-b')
  .action(runControlPlaneCommand);

program
  .command('host')
  .description('run the host agent alone (`up` starts it)')
  .option(...dataDirectory)
  .option('--runtime <name>', 'containerd or simulated', 'containerd')
  .option('--zones <list>', 'the zones this machine takes instances of', 'zone-a,zone-b')
  .option(...privilegedTenants)
  .option(...registries('public'))
  .option('--servers <urls>', 'URLs of the control planes (default: those of the data directory)')
  .action(runHostCommand);

await program.parseAsync().catch(reportAndExit);
