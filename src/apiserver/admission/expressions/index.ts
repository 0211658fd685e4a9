export {
  type CompiledVariable,
  type Evaluated,
  Evaluation,
  type EvaluationInput,
  OUT_OF_BUDGET,
  OutOfBudget,
  RUNTIME_BUDGET,
} from './evaluation.ts';
export {
  compileMatchConditions,
  type ExpressionSources,
  type MatchConditions,
  type MatchedAs,
  type MatchOutcome,
} from './match-conditions.ts';
