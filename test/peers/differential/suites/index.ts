import type { Twin } from '../twin.ts';
import { discovery } from './discovery.ts';
import { openApi } from './open-api.ts';
import { reading } from './reading.ts';
import { tables } from './tables.ts';
import { writing } from './writing.ts';

/** In the order they are run. */
export const suites: Record<string, (twin: Twin) => Promise<void>> = {
  discovery,
  openApi,
  tables,
  reading,
  writing,
};
