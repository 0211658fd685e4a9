import { DeclaredStructs } from '../cel/declared-structs.ts';
import { CompileError } from '../cel/issues.ts';
import { Kept } from '../cel/kept.ts';
import { kubernetesFunctions } from '../cel/library.ts';
import { compileProgram, type Environment, type Program } from '../cel/program.ts';
import { nodesOf } from '../cel/syntax/syntax-tree.ts';
import { anyType, boolType, listOf, mapOf, sameType, stringType, structOf } from '../cel/types.ts';

/** What an expression about a token may name: `claims` of the token, or the `user` that came of it. */
export type Subject = 'claims' | 'user';

const strings = listOf(stringType);
const userInfo = { username: stringType, uid: stringType, groups: strings, extra: mapOf(stringType, strings) };

let environments: Record<Subject, Environment> | undefined;

/** Source: apiserver's pkg/authentication/cel/compile.go. */
function environmentOf(subject: Subject): Environment {
  environments ??= {
    claims: {
      functions: kubernetesFunctions(),
      variables: new Map([['claims', mapOf(stringType, anyType)]]),
      structs: new DeclaredStructs({}),
    },
    user: {
      functions: kubernetesFunctions(),
      variables: new Map([['user', structOf('kubernetes.UserInfo')]]),
      structs: new DeclaredStructs({ 'kubernetes.UserInfo': userInfo }),
    },
  };
  return environments[subject];
}

const programs = new Kept<Program>(1024);

/** Throws an Error that says in upstream's words what is wrong. `isRule`: it must evaluate to a bool. */
export function compileTokenExpression(expression: string, subject: Subject, isRule: boolean): Program {
  return programs.get(`${subject}/${isRule}/${expression}`, expression.length, () => {
    let program: Program;
    try {
      program = compileProgram(expression, environmentOf(subject));
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      throw new Error(`compilation failed: ${error.message}`);
    }
    if (isRule && !sameType(program.type, boolType)) throw new Error('must evaluate to bool');
    return program;
  });
}

/** Whether the expression looks at `claims.FIELD`, or `claims.?FIELD`. */
export function usesClaim({ tree }: Program, field: string): boolean {
  for (const node of nodesOf(tree)) {
    if (node.kind === 'select' && node.field === field) {
      if (node.operand.kind === 'ident' && node.operand.name === 'claims') return true;
    }
    if (node.kind !== 'call' || node.target !== undefined || node.arguments.length !== 2) continue;
    const [operand, name] = node.arguments;
    const isClaim = operand?.kind === 'ident' && operand.name === 'claims';
    if (node.function === '_?._' && isClaim && name?.kind === 'literal' && name.value === field) return true;
  }
  return false;
}
