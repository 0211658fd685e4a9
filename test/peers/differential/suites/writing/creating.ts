import type { Twin } from '../../twin.ts';
import { configMap } from '../objects.ts';
import { poster } from './post.ts';

/** Creating with every option of the query. */
export async function creating(twin: Twin, maps: string): Promise<void> {
  const post = poster(twin, maps);
  await post('a map', configMap('a'));
  await post('it again', configMap('a'));
  await post('it again dry', configMap('a'), '?dryRun=All');
  await post('dry', configMap('dry'), '?dryRun=All');
  await twin.ask('the dry one is not there', { path: `${maps}/dry` });
  for (const value of ['All', 'None', '', 'true', 'All,All'])
    await post(`dryRun=${value}`, configMap(`dry-${value.toLowerCase().replace(/\W/g, '-')}x`), `?dryRun=${value}`);
  await post('dryRun twice', configMap('twice'), '?dryRun=All&dryRun=All');
  for (const value of ['me', '', 'a'.repeat(128), 'a'.repeat(129), 'a%01b', 'a%0Ab', '%E2%98%83', 'a/b c'])
    await post(
      `fieldManager=${value.slice(0, 20)}${value.length}`,
      configMap('managed'),
      `?dryRun=All&fieldManager=${value}`,
    );
  for (const value of ['Strict', 'Warn', 'Ignore', 'Other', '']) {
    await post(
      `unknown field ${value}`,
      { ...configMap('unknown'), spec: { a: 1 }, metadata: { name: 'unknown', labelz: {} } },
      `?dryRun=All&fieldValidation=${value}`,
    );
    await post(
      `duplicate field ${value}`,
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"duplicate","name":"duplicate"},"data":{"a":"1","a":"2"}}',
      `?dryRun=All&fieldValidation=${value}`,
    );
    await post(
      `duplicate field yaml ${value}`,
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: duplicate\n  name: duplicate\ndata:\n  a: "1"\n  a: "2"\nother: 1\n',
      `?dryRun=All&fieldValidation=${value}`,
      'application/yaml',
    );
    await post(
      `wrong case ${value}`,
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"Name":"case","name":"case"},"Data":{"a":"1"}}',
      `?dryRun=All&fieldValidation=${value}`,
    );
  }
}
