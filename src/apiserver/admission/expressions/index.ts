export {
  type CompiledVariable,
  Evaluation,
  OUT_OF_BUDGET,
  OutOfBudget,
  RUNTIME_BUDGET,
} from './evaluation.ts';
export {
  compileMatchConditions,
  type MatchConditions,
} from './match-conditions.ts';
