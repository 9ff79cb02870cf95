/**
 * A rule set as a graph of functions of texts: what each value, condition and dimension is made of.
 * The one definition that is interpreted (meaning) and compiled (compile).
 */
import { filterText } from './filter.js';
import type { Condition, Dimension, RuleSet, Table, Value } from './rule-set.js';
import { afterStep, scoreOf, stepsOf, testOf } from './steps.js';
import type { Step } from './steps.js';
import { ABSENT, countedAs, crossText } from './value-text.js';

/** A text per click: of a field of it, or of other nodes. */
export type Node = FieldNode | MadeNode;

export interface FieldNode {
  readonly field: string;
}

export interface MadeNode {
  readonly inputs: readonly Node[];
  /** One text per input, in their order; see value-text. */
  readonly of: (texts: readonly string[]) => string;
}

/** What a value or dimension is, before it is counted. */
export interface ValueNode extends MadeNode {
  readonly value: Value;
  /** Of the same inputs, the text before the first step. */
  readonly source: MadeNode['of'];
  readonly steps: readonly Step[];
}

/** A filter that asks no click before: all of its conditions give HOLDS. */
export interface FilterNode {
  readonly reason: string;
  readonly conditions: readonly MadeNode[];
}

export interface Graph {
  /** The values, then the dimensions, each in their order. */
  readonly values: readonly ValueNode[];
  /** In their order, without caps. */
  readonly filters: readonly FilterNode[];
  /** Gives the filter, `country:GB`; one per dimension, in their order. */
  readonly dimensions: readonly MadeNode[];
  /** Gives the reason why the click is not counted, or ''. null: no filter asks for one. */
  readonly verdict: MadeNode | null;
}

/** The text of a condition that holds; of one that does not it is ABSENT. */
export const HOLDS = 'holds';

type Tables = Readonly<Record<string, Table>>;

/** The graph of a rule set that was checked. */
export function graphOf(ruleSet: RuleSet): Graph {
  const { tables = {} } = ruleSet;
  const fields = new Map<string, FieldNode>();
  const values = new Map<string, ValueNode>();
  const fieldNode = (field: string): FieldNode => {
    const known = fields.get(field) ?? { field };
    fields.set(field, known);
    return known;
  };
  const find: Find = {
    field: fieldNode,
    value: (name) => values.get(name)!,
  };
  for (const value of ruleSet.values ?? []) values.set(value.name, valueNode(value, tables, find));
  const dimensions = ruleSet.dimensions.map((dimension) => {
    const value = valueNode(dimension, tables, find);
    values.set(dimension.name, value);
    return dimensionNode(dimension, value);
  });
  const filters = filterNodes(ruleSet, find);
  return { values: [...values.values()], filters, dimensions, verdict: verdictNode(filters) };
}

interface Find {
  readonly field: (name: string) => Node;
  readonly value: (name: string) => Node;
}

function valueNode(value: Value, tables: Tables, find: Find): ValueNode {
  const steps = stepsOf(value, tables);
  const { inputs, of: source } = sourceOf(value, find);
  const of: MadeNode['of'] = (texts) =>
    steps.reduce((text, step) => afterStep(step, text), source(texts));
  return { inputs, of, value, source, steps };
}

function sourceOf(value: Value, { field, value: named }: Find): MadeNode {
  const only = ([text]: readonly string[]): string => text!;
  if ('field' in value) return { inputs: [field(value.field)], of: only };
  if ('value' in value) return { inputs: [named(value.value)], of: only };
  if ('first' in value) {
    return {
      inputs: value.first.map(named),
      of: (texts) => texts.find((text) => text !== ABSENT) ?? ABSENT,
    };
  }
  if ('cross' in value) return { inputs: value.cross.map(named), of: crossText };
  return {
    inputs: value.score.terms.map((term) => named(term.value)),
    of: scoreOf(value.score),
  };
}

function dimensionNode({ name }: Dimension, value: Node): MadeNode {
  return { inputs: [value], of: ([text]) => filterText(name, countedAs(text!)) };
}

function filterNodes({ filters = [] }: RuleSet, find: Find): readonly FilterNode[] {
  return filters.flatMap((filter) =>
    'when' in filter
      ? [{ reason: filter.reason, conditions: filter.when.map((one) => conditionNode(one, find)) }]
      : [],
  );
}

function verdictNode(filters: readonly FilterNode[]): MadeNode | null {
  if (filters.length === 0) return null;
  let next = 0;
  const reasons = filters.map(({ reason, conditions }) => ({
    reason,
    at: conditions.map(() => next++),
  }));
  return {
    inputs: filters.flatMap(({ conditions }) => conditions),
    of: (texts) => reasons.find(({ at }) => at.every((i) => texts[i] === HOLDS))?.reason ?? ABSENT,
  };
}

function conditionNode(condition: Condition, find: Find): MadeNode {
  const holds = testOf(condition);
  const input = 'field' in condition ? find.field(condition.field) : find.value(condition.value);
  return { inputs: [input], of: ([text]) => (holds(text!) ? HOLDS : ABSENT) };
}
