export {
  compileMatchConditions,
  type ExpressionSources,
  type MatchConditions,
  type MatchedAs,
  type MatchOutcome,
} from './match-conditions.ts';
