/**
 * The search attributes of all workflows and their types. SQL visibility has room for 10 keywords, 3
 * datetimes and 3 doubles per namespace, which others may share.
 */
export const SEARCH_ATTRIBUTE_TYPES = {
  TruecountStage: 'KEYWORD',
  TruecountTrigger: 'KEYWORD',
  TruecountOutcome: 'KEYWORD',
  TruecountFrom: 'DATETIME',
  TruecountTo: 'DATETIME',
  TruecountDrift: 'DOUBLE',
} as const;
