import { Functions } from './declarations.ts';
import { addAddresses } from './libraries/addresses.ts';
import { addOperators } from './libraries/arithmetic.ts';
import { addAuthorizer } from './libraries/authorizer.ts';
import { addConversions } from './libraries/conversions.ts';
import { addFormats } from './libraries/formats.ts';
import { addJsonPatches } from './libraries/json-patches.ts';
import { addLists } from './libraries/lists.ts';
import { addOptionals } from './libraries/optionals.ts';
import { addPatterns } from './libraries/patterns.ts';
import { addQuantities } from './libraries/quantities.ts';
import { addStrings } from './libraries/strings.ts';
import { addTimeFunctions } from './libraries/times.ts';
import { addUrls } from './libraries/urls.ts';
import { addVersions } from './libraries/versions.ts';

let shared: Functions | undefined;
let withPatches: Functions | undefined;

/** Every library of Kubernetes 1.36 and what it takes of cel-go's. Source: apiserver's pkg/cel/environment/base.go. */
export function kubernetesFunctions(): Functions {
  shared ??= new Functions().extended((functions) => {
    addOperators(functions);
    addConversions(functions);
    addTimeFunctions(functions);
    addStrings(functions);
    addPatterns(functions);
    addLists(functions);
    addOptionals(functions);
    addUrls(functions);
    addAddresses(functions);
    addQuantities(functions);
    addVersions(functions);
    addFormats(functions);
    addAuthorizer(functions);
  });
  return shared;
}

/** What mutations may call besides. */
export function mutationFunctions(): Functions {
  withPatches ??= kubernetesFunctions().extended(addJsonPatches);
  return withPatches;
}
