/**
 * A rule set as a graph of functions of texts: what each value, condition and dimension is made of.
 * The one definition that is interpreted (meaning) and compiled (compile).
 */
import { filterText } from './filter.js';
import type { Condition, Dimension, RuleSet, Table, Value } from './rule-set.js';
import { scoreOf, stepsOf, testOf } from './steps.js';
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

export interface Graph {
  /** Gives the filter, `country:GB`; one per dimension, in their order. */
  readonly dimensions: readonly MadeNode[];
  /** Gives the reason why the click is not counted, or ''. null: no filter asks for one. */
  readonly verdict: MadeNode | null;
}

const HOLDS = 'holds';

type Tables = Readonly<Record<string, Table>>;

/** The graph of a rule set that was checked. */
export function graphOf(ruleSet: RuleSet): Graph {
  const { tables = {} } = ruleSet;
  const fields = new Map<string, FieldNode>();
  const values = new Map<string, Node>();
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
  return { dimensions, verdict: verdictNode(ruleSet, find) };
}

interface Find {
  readonly field: (name: string) => Node;
  readonly value: (name: string) => Node;
}

function valueNode(value: Value, tables: Tables, find: Find): MadeNode {
  const steps = stepsOf(value, tables);
  const made = sourceOf(value, find);
  return { inputs: made.inputs, of: (texts) => steps(made.of(texts)) };
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

function verdictNode({ filters = [] }: RuleSet, find: Find): MadeNode | null {
  const inputs: Node[] = [];
  const reasons: { reason: string; conditions: number[] }[] = [];
  for (const filter of filters) {
    if (!('when' in filter)) continue;
    const conditions = filter.when.map((condition) => {
      inputs.push(conditionNode(condition, find));
      return inputs.length - 1;
    });
    reasons.push({ reason: filter.reason, conditions });
  }
  if (reasons.length === 0) return null;
  return {
    inputs,
    of: (texts) =>
      reasons.find(({ conditions }) => conditions.every((i) => texts[i] === HOLDS))?.reason ??
      ABSENT,
  };
}

function conditionNode(condition: Condition, find: Find): MadeNode {
  const holds = testOf(condition);
  const input = 'field' in condition ? find.field(condition.field) : find.value(condition.value);
  return { inputs: [input], of: ([text]) => (holds(text!) ? HOLDS : ABSENT) };
}
