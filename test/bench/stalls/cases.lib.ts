import { requestBodyCases } from './bodies.lib.ts';
import { crowdCases } from './crowds.lib.ts';
import { definitionCases } from './definitions.lib.ts';
import { patchCases } from './patches.lib.ts';
import { policyCases } from './policies.lib.ts';
import { productCases } from './products.lib.ts';
import type { StallCase } from './requests.lib.ts';
import { schemaCases } from './schemas.lib.ts';
import { otherCases } from './shared.lib.ts';

/** The dearest requests a tenant can send, at the limits the server allows. */
export const stallCases: StallCase[] = [
  ...requestBodyCases,
  ...patchCases,
  ...schemaCases,
  ...policyCases,
  ...definitionCases,
  ...otherCases,
  ...productCases,
  ...crowdCases,
];
