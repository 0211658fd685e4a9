import { versionInfo } from '../version-info.ts';
import { objectTypes } from './builtin-operations.ts';
import { idAndTag, metaType, type Operation } from './operation.ts';

/** What can be asked of the server itself. Source: apiserver's discovery handlers and routes. */
function reading(path: string, verb: string, words: string, more: Partial<Operation>): Operation {
  return {
    path: `${path}/`,
    method: 'get',
    ...idAndTag(verb, words, path),
    parameters: [],
    codes: [200],
    answer: 'string',
    consumes: objectTypes,
    produces: objectTypes,
    ...more,
  };
}

/** By the name of the document of version 3 that each is in. */
export function serverOperations(): Map<string, Operation> {
  return new Map([
    ['.well-known/openid-configuration', openIdConfiguration()],
    ['api', { ...reading('/api', 'get', 'APIVersions', { answer: metaType('APIVersions') }) }],
    ['apis', reading('/apis', 'get', 'APIVersions', { answer: metaType('APIGroupList') })],
    [
      'openid/v1/jwks',
      reading('/openid/v1/jwks', 'get', 'ServiceAccountIssuerOpenIDKeyset', {
        consumes: [],
        produces: ['application/jwk-set+json'],
      }),
    ],
    [
      'version',
      reading('/version', 'get', 'CodeVersion', {
        answer: versionInfo,
        consumes: ['application/json'],
        produces: ['application/json'],
      }),
    ],
  ]);
}

const openIdConfiguration = () =>
  reading('/.well-known/openid-configuration', 'get', 'ServiceAccountIssuerOpenIDConfiguration', {
    tag: 'WellKnown',
    consumes: [],
    produces: ['application/json'],
  });

/** `/apis/apps/` */
export const groupOperation = (group: string): Operation =>
  reading(`/apis/${group}`, 'get', 'APIGroup', { answer: metaType('APIGroup') });

/** `/apis/apps/v1/` */
export const versionOperation = (documentName: string): Operation =>
  reading(`/${documentName}`, 'get', 'APIResources', { answer: metaType('APIResourceList') });
