import type { ContainerInstance, UsageRecord } from '../../api/pool.ts';
import { CONTAINER_INSTANCES, USAGE_RECORDS } from '../../api/resources.ts';
import { SYSTEM_TENANT } from '../../client/client.ts';
import { formatCsv, summarize, tableRows } from '../../metering/index.ts';
import { CommandError } from '../command-error.ts';
import { openOperatorClient, unreachable } from './operator-client.ts';
import { formatTable } from './table.ts';

interface UsageOptions {
  dataDir: string;
  tenant?: string;
  output: string;
}

/** What the ledger holds, and what runs until now. */
export async function showUsage({ dataDir, tenant, output }: UsageOptions): Promise<void> {
  if (!['table', 'json', 'csv'].includes(output))
    throw new CommandError(`-o ${output} is not known: table, json or csv`);
  const { client, server } = await openOperatorClient(dataDir);
  try {
    // A tenant's rows and instances are the namespace of its name.
    const records = client.resource<UsageRecord>(SYSTEM_TENANT, USAGE_RECORDS, tenant);
    const instances = client.resource<ContainerInstance>(SYSTEM_TENANT, CONTAINER_INSTANCES, tenant);
    // Instances first: one that ends in between is then seen twice, which summarize() tells by its rows, and never missed.
    const live = (await instances.list()).items;
    const rows = summarize((await records.list()).items, live, Date.now(), tenant === undefined ? {} : { tenant });
    if (output === 'json') process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    else if (output === 'csv') process.stdout.write(formatCsv(rows));
    else {
      const table = tableRows(rows);
      process.stdout.write(`${formatTable(table.header, table.rows)}\n`);
    }
  } catch (error) {
    throw unreachable(error, server);
  }
}
