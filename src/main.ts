import { Command } from 'commander';
import { runControlPlaneCommand, runHostCommand, runUp } from './compose/all-in-one.ts';
import { takeDown } from './compose/commands/down.ts';
import { showStatus } from './compose/commands/status.ts';
import { createTenant, deleteTenant, listTenants } from './compose/commands/tenant.ts';
import { showUsage } from './compose/commands/usage.ts';
import { reportAndExit } from './compose/command-error.ts';

const program = new Command('skypod')
  .description('A serverless Kubernetes that anyone can host')
  .showHelpAfterError()
  .configureHelp({ sortSubcommands: false });

const dataDirectory = ['--data-dir <directory>', 'where all state lives', '.skypod'] as const;

program
  .command('up')
  .description('start the control plane and a host on this machine')
  .option(...dataDirectory)
  .option('--listen <host:port>', 'address of the Kubernetes API', '127.0.0.1:6443')
  .option('--runtime <name>', 'containerd, or simulated (no root, no processes)', 'containerd')
  .option('--zones <list>', 'comma-separated names of the zones', 'zone-a,zone-b')
  .action(runUp);

const tenant = program.command('tenant').description('create, list and delete tenants');
tenant
  .command('create <name>')
  .description('create a tenant and write DATA/tenants/NAME.kubeconfig')
  .option(...dataDirectory)
  .action(createTenant);
tenant
  .command('list')
  .description('list the tenants')
  .option(...dataDirectory)
  .action(listTenants);
tenant
  .command('delete <name>')
  .description('delete a tenant with everything in it')
  .option(...dataDirectory)
  .action(deleteTenant);

program
  .command('usage')
  .description('print what was used: instance seconds, vCPU-seconds, GiB-seconds')
  .option(...dataDirectory)
  .option('--tenant <name>', 'one tenant only')
  .option('-o, --output <format>', 'table, json or csv', 'table')
  .action(showUsage);

program
  .command('status')
  .description('print what runs and how it is')
  .option(...dataDirectory)
  .option('-o, --output <format>', 'table or json', 'table')
  .action(showStatus);

program
  .command('down')
  .description('end every container of this data directory and remove namespaces, mounts and cgroups')
  .option(...dataDirectory)
  .action(takeDown);

program
  .command('control-plane')
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
  .action(runHostCommand);

await program.parseAsync().catch(reportAndExit);
