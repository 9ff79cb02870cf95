import type { Click, FieldValue } from '../click/click.js';
import { minuteOf } from '../time.js';
import { Meaning, capsOf, fieldsOf } from './meaning.js';
import type { Judgement, NamedCap, ReadField } from './meaning.js';
import { AD_FIELD } from './rule-set.js';
import type { RuleSet } from './rule-set.js';

/** What a cap says of one click that came to it. */
export interface CapJudgement {
  readonly cap: NamedCap;
  /** Clicks that it counted before this one; null: the click has no text in the field. */
  readonly before: number | null;
  readonly above: boolean;
}

/** The caps of a rule set, with the clicks that came to them so far. */
export class CapsInOrder {
  private readonly caps: readonly NamedCap[];
  /** Clicks so far, per cap by partition, ad, minute and text of the field. */
  private readonly before: readonly Map<string, number>[];

  constructor(ruleSet: RuleSet) {
    this.caps = capsOf(ruleSet);
    this.before = this.caps.map(() => new Map<string, number>());
  }

  /** Takes the next click that no other filter takes out: it is one to every cap. */
  take({ adId, eventMs }: Click, read: ReadField, partition: string): readonly CapJudgement[] {
    return this.caps.map((cap, i) => {
      const value = read(cap.field);
      if (value.kind !== 'value') return { cap, before: null, above: false };
      const key = [partition, adId, String(minuteOf(eventMs)), value.text].join('\n');
      const before = this.before[i]!.get(key) ?? 0;
      this.before[i]!.set(key, before + 1);
      return { cap, before, above: before >= cap.max };
    });
  }
}

/** Reads the fields of a click whose `fields` are these. */
export function fieldsOfClick(click: Click, fields: readonly string[]): ReadField {
  return (name): FieldValue => {
    if (name === AD_FIELD) return { kind: 'value', text: click.adId };
    return click.fields[fields.indexOf(name)] ?? { kind: 'absent' };
  };
}

/**
 * A rule set applied to clicks in log order, none of them a duplicate: what it says of each, with
 * the caps, which ask how many clicks came before. One for the clicks of one hour and more.
 */
export class RulesInOrder {
  /** What the click's `fields` have to be; see `parseClick`. */
  readonly fields: readonly string[];
  private readonly meaning: Meaning;
  private readonly caps: CapsInOrder;

  constructor(ruleSet: RuleSet) {
    this.meaning = new Meaning(ruleSet);
    this.fields = fieldsOf(ruleSet);
    this.caps = new CapsInOrder(ruleSet);
  }

  /** The filters of the cells that a click is counted in, if it is. */
  filters(click: Click): readonly string[] {
    return this.meaning.judge(fieldsOfClick(click, this.fields)).filters;
  }

  /**
   * What becomes of the next click of a partition. A click that no other filter takes out is one to
   * every cap, whether it is counted or not.
   */
  judge(click: Click, partition: string): Judgement {
    const read = fieldsOfClick(click, this.fields);
    const judgement = this.meaning.judge(read);
    if (judgement.reason !== null) return judgement;
    const above = this.caps.take(click, read, partition).find((one) => one.above);
    return { reason: above?.cap.reason ?? null, filters: judgement.filters };
  }
}
