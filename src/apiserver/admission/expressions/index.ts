export {
  type CompiledVariable,
  type Evaluated,
  Evaluation,
  type EvaluationInput,
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
