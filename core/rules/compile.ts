import { graphOf } from './nodes.js';
import type { MadeNode, Node } from './nodes.js';
import { capsOf } from './meaning.js';
import type { NamedCap } from './meaning.js';
import type { RuleSet } from './rule-set.js';

/**
 * A rule set in the form that fast engines run. Everything in it is a function of one field, or of
 * what such functions gave, so that an engine calls it once per distinct text or combination, and
 * looks the answer up for all other clicks.
 */
export interface CompiledRuleSet {
  /** Functions of one field each; see value-text for the texts. */
  readonly columns: readonly Column[];
  /** The filter (`country:GB`) of each dimension, in their order. */
  readonly dimensions: readonly Output[];
  /** The reason why a click is not counted, or ''. null: there is none but caps. */
  readonly verdict: Output | null;
  readonly caps: readonly NamedCap[];
}

export interface Column {
  /** A field of the record, or `ad_id`. */
  readonly field: string;
  readonly of: (text: string) => string;
}

/** What a click gets, by the texts of its columns. */
export interface Output {
  /** Indices of `columns`; each once. */
  readonly columns: readonly number[];
  /** One text per entry of `columns`, in their order. */
  readonly of: (texts: readonly string[]) => string;
}

/**
 * Compiles a rule set that was checked. An output over several fields is cut where its parts depend on one
 * field alone: a pattern found in a million user agents is two texts to what depends on it.
 */
export function compileRuleSet(ruleSet: RuleSet): CompiledRuleSet {
  const { dimensions, verdict } = graphOf(ruleSet);
  const columns: Column[] = [];
  const columnOf = new Map<Node, number>();
  const place = (node: Node, field: string): number => {
    const known = columnOf.get(node);
    if (known !== undefined) return known;
    columns.push({ field, of: (text) => evaluate(node, text) });
    columnOf.set(node, columns.length - 1);
    return columns.length - 1;
  };
  const output = (node: MadeNode): Output => cut(node, place);
  return {
    dimensions: dimensions.map(output),
    verdict: verdict && output(verdict),
    caps: capsOf(ruleSet),
    columns,
  };
}

function cut(root: MadeNode, place: (node: Node, field: string) => number): Output {
  const columns: number[] = [];
  const visit = (node: Node): Output['of'] => {
    const fields = fieldsUnder(node);
    if (fields.size === 1) {
      const column = place(node, [...fields][0]!);
      if (!columns.includes(column)) columns.push(column);
      const at = columns.indexOf(column);
      return (texts) => texts[at]!;
    }
    const made = node as MadeNode;
    const parts = made.inputs.map(visit);
    return (texts) => made.of(parts.map((part) => part(texts)));
  };
  return { of: visit(root), columns };
}

function fieldsUnder(node: Node): ReadonlySet<string> {
  if ('field' in node) return new Set([node.field]);
  return new Set(node.inputs.flatMap((input) => [...fieldsUnder(input)]));
}

/** The text of a node that depends on one field. */
function evaluate(node: Node, text: string): string {
  if ('field' in node) return text;
  return node.of(node.inputs.map((input) => evaluate(input, text)));
}
