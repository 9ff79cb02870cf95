import type { FieldValue } from '../click/click.js';
import { graphOf } from './nodes.js';
import type { Graph, Node } from './nodes.js';
import { AD_FIELD, TOTAL_FILTER } from './rule-set.js';
import type { Cap, RuleSet } from './rule-set.js';
import { ABSENT, textOfField } from './value-text.js';

/** A field of the click; `ad_id` is one. */
export type ReadField = (name: string) => FieldValue;

/** What a rule set says of one click, but for its caps, which need the clicks before it. */
export interface Judgement {
  /** Why it is not counted; null: nothing but a cap keeps it from it. */
  readonly reason: string | null;
  /** The filters of the cells that it adds 1 to: the total, then one per dimension. */
  readonly filters: readonly string[];
}

/** A cap, and the reason of the clicks above it. */
export interface NamedCap extends Cap {
  readonly reason: string;
}

/** The caps of a rule set, in the order of its filters. */
export function capsOf({ filters = [] }: RuleSet): readonly NamedCap[] {
  return filters.flatMap((filter) =>
    'cap' in filter ? [{ reason: filter.reason, ...filter.cap }] : [],
  );
}

/** Fields of the record that a rule set reads, each once, `ad_id` not among them. */
export function fieldsOf(ruleSet: RuleSet): readonly string[] {
  const { values = [], filters = [], dimensions } = ruleSet;
  const named = [...values, ...dimensions, ...filters.flatMap((f) => ('when' in f ? f.when : []))];
  const fields = named.flatMap((one) => ('field' in one ? [one.field] : []));
  const all = new Set([...fields, ...capsOf(ruleSet).map(({ field }) => field)]);
  all.delete(AD_FIELD);
  return [...all];
}

/** A rule set as it is defined: interpreted click by click. The reference for all engines. */
export class Meaning {
  private readonly graph: Graph;

  /** A rule set that was checked. */
  constructor(readonly ruleSet: RuleSet) {
    this.graph = graphOf(ruleSet);
  }

  judge(read: ReadField): Judgement {
    const { dimensions, verdict } = this.graph;
    const reason = verdict === null ? ABSENT : textOf(verdict, read);
    const filters = dimensions.map((dimension) => textOf(dimension, read));
    return { reason: reason === ABSENT ? null : reason, filters: [TOTAL_FILTER, ...filters] };
  }
}

/** What a node gives for one click. */
export function textOf(node: Node, read: ReadField): string {
  if ('field' in node) return textOfField(read(node.field));
  return node.of(node.inputs.map((input) => textOf(input, read)));
}
