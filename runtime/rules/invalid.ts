import { TruecountError } from '../../core/errors.js';

/** Something wrong in a file that a rule set is made of. `line` counts from 1. */
export function invalidAt(
  file: string,
  line: number | undefined,
  what: string,
  cause?: unknown,
): TruecountError {
  const at = line === undefined ? file : `${file}, line ${String(line)}`;
  const context = cause instanceof TruecountError ? cause.context : {};
  return new TruecountError('invalid_rule_set', `invalid rule set: ${at}: ${what}`, {
    hint: 'docs/reference/rule-sets.md says what a rule set holds; examples/rules.yaml shows it all',
    context: { ...context, file, ...(line === undefined ? {} : { line }) },
    cause,
  });
}
