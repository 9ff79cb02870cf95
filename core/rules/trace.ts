import type { Click, FieldValue } from '../click/click.js';
import { CapsInOrder, fieldsOfClick } from './in-order.js';
import type { CapJudgement } from './in-order.js';
import { capsOf, fieldsOf, textOf } from './meaning.js';
import type { Judgement, ReadField } from './meaning.js';
import { HOLDS, graphOf } from './nodes.js';
import type { FilterNode, Graph, ValueNode } from './nodes.js';
import { TOTAL_FILTER } from './rule-set.js';
import type { Condition, RuleSet, Steps, Value, WhenFilter } from './rule-set.js';
import { afterStep, weightsOf } from './steps.js';
import { countedAs, valueOfText } from './value-text.js';

/** Step by step, what a rule set does with one click. */
export interface Trace extends Judgement {
  /** The values, then the dimensions, each in their order. */
  readonly values: readonly TracedValue[];
  readonly dimensions: readonly TracedValue[];
  /** The filters with conditions; the first that holds is the reason. */
  readonly filtered: readonly TracedFilter[];
  /** null: the click did not come to them, since a filter took it out. */
  readonly caps: readonly TracedCap[] | null;
}

export interface TracedValue {
  readonly name: string;
  /** What it is made of. */
  readonly source: 'field' | 'value' | 'first' | 'cross' | 'score';
  readonly from: readonly TracedPart[];
  /** Of a score: the sum of bias and weights. */
  readonly sum?: number;
  /** Before the first step. */
  readonly text: FieldValue;
  /** What the rule set says of it, each with what came out. */
  readonly steps: readonly TracedStep[];
  readonly result: FieldValue;
  /** The value that a dimension is counted under. */
  readonly countedAs: string;
}

/** A field, or a value before. */
export interface TracedPart {
  readonly name: string;
  readonly value: FieldValue;
  /** Of a score: what it adds. */
  readonly weight?: number;
}

export interface TracedStep {
  /** `maxBytes` is there where it is written, or did something. */
  readonly step: keyof Steps;
  readonly result: FieldValue;
}

export interface TracedFilter {
  readonly reason: string;
  readonly holds: boolean;
  readonly conditions: readonly TracedCondition[];
}

export interface TracedCondition {
  readonly condition: Condition;
  readonly value: FieldValue;
  readonly holds: boolean;
}

export interface TracedCap extends CapJudgement {
  readonly value: FieldValue;
}

/** Traces the clicks of one hour and more, in log order, none of them a duplicate. */
export class TraceInOrder {
  /** What the click's `fields` have to be; see `parseClick`. */
  readonly fields: readonly string[];
  private readonly graph: Graph;
  private readonly whens: readonly WhenFilter[];
  private readonly caps: CapsInOrder;
  private readonly capless: boolean;

  /** A rule set that was checked. */
  constructor(private readonly ruleSet: RuleSet) {
    this.fields = fieldsOf(ruleSet);
    this.graph = graphOf(ruleSet);
    this.whens = (ruleSet.filters ?? []).filter((filter) => 'when' in filter);
    this.caps = new CapsInOrder(ruleSet);
    this.capless = capsOf(ruleSet).length === 0;
  }

  /** What becomes of the next click of a partition, as `RulesInOrder` judges it, and why. */
  trace(click: Click, partition: string): Trace {
    const read = fieldsOfClick(click, this.fields);
    const values = this.graph.values.map((node) => tracedValue(node, read));
    const filtered = this.graph.filters.map((node, i) => tracedFilter(node, this.whens[i]!, read));
    const by = filtered.find(({ holds }) => holds)?.reason ?? null;
    const caps = by === null || this.capless ? this.tracedCaps(click, read, partition) : null;
    const above = caps?.find((cap) => cap.above)?.cap.reason ?? null;
    const filters = this.graph.dimensions.map((node) => textOf(node, read));
    const counted = values.length - this.ruleSet.dimensions.length;
    return {
      reason: by ?? above,
      filters: [TOTAL_FILTER, ...filters],
      values: values.slice(0, counted),
      dimensions: values.slice(counted),
      filtered,
      caps,
    };
  }

  private tracedCaps(click: Click, read: ReadField, partition: string): readonly TracedCap[] {
    const judged = this.caps.take(click, read, partition);
    return judged.map((one) => ({ ...one, value: read(one.cap.field) }));
  }
}

function tracedValue(node: ValueNode, read: ReadField): TracedValue {
  const { value, inputs } = node;
  const texts = inputs.map((input) => textOf(input, read));
  const weights = 'score' in value ? weightsOf(value.score)(texts) : null;
  const { source, names } = partsOf(value);
  const text = node.source(texts);
  const { steps, result } = tracedSteps(node, text);
  return {
    ...{ name: value.name, source },
    from: names.map((name, i) => ({
      ...{ name, value: valueOfText(texts[i]!) },
      ...(weights === null ? {} : { weight: weights[i]! }),
    })),
    ...('score' in value ? { sum: weights!.reduce((a, b) => a + b, value.score.bias ?? 0) } : {}),
    ...{ text: valueOfText(text), steps, result: valueOfText(result) },
    countedAs: countedAs(result),
  };
}

function tracedSteps(
  { value, steps }: ValueNode,
  text: string,
): { readonly steps: readonly TracedStep[]; readonly result: string } {
  const traced: TracedStep[] = [];
  let now = text;
  for (const step of steps) {
    const before = now;
    now = afterStep(step, before);
    if (value[step.name] === undefined && now === before) continue;
    traced.push({ step: step.name, result: valueOfText(now) });
  }
  return { steps: traced, result: now };
}

/** What a value is made of, in the order of its node's inputs. */
function partsOf(value: Value): {
  readonly source: TracedValue['source'];
  readonly names: readonly string[];
} {
  if ('field' in value) return { source: 'field', names: [value.field] };
  if ('value' in value) return { source: 'value', names: [value.value] };
  if ('first' in value) return { source: 'first', names: value.first };
  if ('cross' in value) return { source: 'cross', names: value.cross };
  return { source: 'score', names: value.score.terms.map((term) => term.value) };
}

function tracedFilter(node: FilterNode, { when }: WhenFilter, read: ReadField): TracedFilter {
  const conditions = node.conditions.map(({ inputs, of }, i) => {
    const texts = inputs.map((input) => textOf(input, read));
    return { condition: when[i]!, value: valueOfText(texts[0]!), holds: of(texts) === HOLDS };
  });
  return { reason: node.reason, conditions, holds: conditions.every(({ holds }) => holds) };
}
