import type { Twin } from '../twin.ts';
import { access } from './access.ts';
import { admission, mutatingPolicies, webhooks } from './admission/index.ts';
import { customResources } from './custom-resources.ts';
import { customRules } from './custom-rules.ts';
import { defaultRoles } from './default-roles.ts';
import { deviceStatus } from './device-status.ts';
import { disabledFields } from './disabled-fields.ts';
import { discovery } from './discovery.ts';
import { impersonation } from './impersonation.ts';
import { kubectl } from './kubectl/index.ts';
import { matrix, matrixOfPatches, matrixOfSubresources, matrixOfTypes } from './matrix/index.ts';
import { nodes } from './nodes.ts';
import { openApi } from './open-api.ts';
import { pods } from './pods.ts';
import { reading } from './reading/index.ts';
import { tables } from './tables.ts';
import { updates } from './updates.ts';
import { watching } from './watching.ts';
import { writing } from './writing/index.ts';

/** In the order they are run. */
export const suites: Record<string, (twin: Twin) => Promise<void>> = {
  discovery,
  openApi,
  tables,
  updates,
  writing,
  pods,
  access,
  watching,
  customResources,
  customRules,
  reading,
  admission,
  mutatingPolicies,
  webhooks,
  deviceStatus,
  nodes,
  impersonation,
  defaultRoles,
  disabledFields,
  kubectl,
};

/** Tens of thousands of comparisons: run only when they are named. */
export const wideSuites: typeof suites = { matrix, matrixOfTypes, matrixOfPatches, matrixOfSubresources };
