import { compileRuleSet } from '../core/rules/compile.js';
import type { CompiledRuleSet, Output } from '../core/rules/compile.js';
import type { NamedCap } from '../core/rules/meaning.js';
import { AD_FIELD } from '../core/rules/rule-set.js';
import type { RuleSet } from '../core/rules/rule-set.js';
import { FIELD_COLUMNS } from '../lake/columns.js';

/**
 * What an engine of tables and joins has to do to count clicks by a rule set. There is no SQL in it:
 * a dialect says how a mark is joined to a click, and core says what the mark is, once per distinct
 * text. So no text of a click is judged by SQL, and there is one meaning of a rule set.
 *
 * A *mark* is everything that a rule set has to say of one text of one field; clicks with the same
 * marks of all fields have the same filters, and the same verdict.
 */
export interface RulesPlan {
  readonly fields: readonly FieldPlan[];
  /** Gives the filter, `country:GB`; one per dimension, in their order. */
  readonly dimensions: readonly OutputPlan[];
  /** Gives the reason why a click is not counted, or ''. null: no filter but caps. */
  readonly verdict: OutputPlan | null;
  /** In the order in which they name the reason. */
  readonly caps: readonly CapPlan[];
}

/** Where a field of the click is in the lake. */
export interface FieldSource {
  readonly field: string;
  /** The column of its text; null: the field is in `rest` alone. */
  readonly column: string | null;
}

export interface FieldPlan extends FieldSource {
  /** Clicks may be grouped by the texts themselves: not many are different within an ad's minute. */
  readonly few: boolean;
  /** The mark of a text; see value-text. */
  readonly markOf: (text: string) => string;
}

export interface OutputPlan {
  /** Indices of `fields`, each once. */
  readonly fields: readonly number[];
  /** One mark per entry of `fields`. */
  readonly of: (marks: readonly string[]) => string;
}

/**
 * A window over the clicks that are no duplicates and have no verdict, by (partition, ad, minute,
 * text of the field) in the order of the log: those after the first `max` are filtered.
 */
export type CapPlan = NamedCap & FieldSource;

/** Between the texts of a mark: no text of a value holds a control character but `OTHER`. */
const BETWEEN = '\n';

/**
 * Columns with few values. Addresses, users and the members of `rest` may be different in every
 * click: what groups clicks by them has to group by their marks. The ad is grouped by anyway.
 */
const FEW: readonly string[] = [AD_FIELD, 'country', 'device', 'ad_format'];

/** Plans how to count by a rule set that was checked. */
export function planRules(ruleSet: RuleSet): RulesPlan {
  const compiled = compileRuleSet(ruleSet);
  const fields = [...new Set(compiled.columns.map(({ field }) => field))];
  const output = (one: Output): OutputPlan => outputPlan(one, compiled, fields);
  return {
    fields: fields.map((field) => fieldPlan(field, compiled)),
    dimensions: compiled.dimensions.map(output),
    verdict: compiled.verdict && output(compiled.verdict),
    caps: compiled.caps.map((cap) => ({ ...cap, ...sourceOf(cap.field) })),
  };
}

function sourceOf(field: string): FieldSource {
  const known: readonly string[] = [AD_FIELD, ...FIELD_COLUMNS];
  return { field, column: known.includes(field) ? field : null };
}

function fieldPlan(field: string, { columns }: CompiledRuleSet): FieldPlan {
  const own = columns.filter((column) => column.field === field);
  return {
    ...sourceOf(field),
    few: FEW.includes(field),
    markOf: (text) => own.map((column) => column.of(text)).join(BETWEEN),
  };
}

function outputPlan(
  { columns, of }: Output,
  { columns: all }: CompiledRuleSet,
  fields: readonly string[],
): OutputPlan {
  const own = [...new Set(columns.map((column) => fields.indexOf(all[column]!.field)))];
  const texts = columns.map((column) => {
    const { field } = all[column]!;
    const before = all.slice(0, column).filter((other) => other.field === field);
    return { mark: own.indexOf(fields.indexOf(field)), at: before.length };
  });
  return {
    fields: own,
    of: (marks) => {
      const split = marks.map((mark) => mark.split(BETWEEN));
      return of(texts.map(({ mark, at }) => split[mark]![at]!));
    },
  };
}
