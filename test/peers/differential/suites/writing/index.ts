import type { Twin } from '../../twin.ts';
import { makeNamespace } from '../objects.ts';
import { applying } from './applying.ts';
import { bodies } from './bodies.ts';
import { contentTypes } from './content-types.ts';
import { creating } from './creating.ts';
import { deleting } from './deleting.ts';
import { deployment } from './deployment.ts';
import { ending } from './ending.ts';
import { metadata } from './metadata.ts';
import { patching } from './patching.ts';
import { updating } from './updating.ts';

/** create, update, patch and delete: what they answer, refuse, and leave behind. */
export async function writing(twin: Twin): Promise<void> {
  const namespace = `writing-${twin.run}`;
  await makeNamespace(twin, namespace);
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  await creating(twin, maps);
  await bodies(twin, maps, namespace);
  await contentTypes(twin, maps, namespace);
  await metadata(twin, maps, namespace);
  await updating(twin, maps);
  await patching(twin, maps);
  await applying(twin, maps);
  await deployment(twin, namespace);
  await deleting(twin, maps, namespace);
  await ending(twin, namespace);
}
