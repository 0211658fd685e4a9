import { estimateCost } from './cost/cost-estimate.ts';
import { DeclaredStructs } from './declared-structs.ts';
import { CompileError } from './issues.ts';
import { Kept } from './kept.ts';
import { kubernetesFunctions } from './library.ts';
import { compileProgram, type Environment, PER_CALL_LIMIT, type Program } from './program.ts';
import { anyType, boolType, mapOf, resultTypeName, sameType, stringType, structOf } from './types.ts';

const longestDomain = 63;
const longestName = 32;
const longestDriver = 63;
const longestValue = 64;
const mostAttributes = 32;

/** What a selector of devices may name. Source: dynamic-resource-allocation/cel/compile.go. */
const environment: Environment = {
  functions: kubernetesFunctions(),
  variables: new Map([['device', structOf('kubernetes.DRADevice')]]),
  structs: new DeclaredStructs({
    'kubernetes.DRADevice': {
      driver: stringType,
      allowMultipleAllocations: boolType,
      attributes: mapOf(stringType, mapOf(stringType, anyType)),
      capacity: mapOf(stringType, mapOf(stringType, structOf('kubernetes.Quantity'))),
    },
  }),
  bindings: true,
};

/** How large the value at a path may be; undefined: nobody knows. */
function largestAt([root, field, ...steps]: readonly string[]): number | undefined {
  if (root !== 'device') return undefined;
  if (field === undefined) return 4;
  if (field === 'driver') return longestDriver;
  if (field === 'allowMultipleAllocations') return 1;
  if (field !== 'attributes' && field !== 'capacity') return undefined;
  const [domain, name, ...deeper] = steps;
  if (domain === undefined) return mostAttributes;
  if (domain === '@keys') return longestDomain;
  // A domain that is named is none of the fields that upstream looks for.
  if (domain !== '@values' && domain !== '@items') return undefined;
  if (name === undefined) return mostAttributes;
  if (name === '@keys') return longestName;
  if (deeper.length > 0) return undefined;
  return field === 'attributes' ? longestValue : name.startsWith('@') ? longestValue : undefined;
}

const programs = new Kept<{ program: Program; maxCost: number }>();

/** Throws an Error that says in upstream's words what does not compile. `maxCost` is the worst that a run may cost. */
export function compileDeviceSelector(expression: string): { program: Program; maxCost: number } {
  return programs.get(expression, expression.length, () => {
    let program: Program;
    try {
      program = compileProgram(expression, environment);
    } catch (error) {
      if (error instanceof CompileError) throw new Error(`compilation failed: ${error.message}`);
      throw error;
    }
    if (!sameType(program.type, boolType) && program.type.kind !== 'any') {
      throw new Error(`must evaluate to bool or the unknown type, not ${resultTypeName(program.type)}`);
    }
    return { program, maxCost: estimateCost(program.tree, largestAt).max };
  });
}

/** A selector may cost as much as a call of a policy's. */
export const MAX_SELECTOR_COST = PER_CALL_LIMIT;
