import type { Click, FieldValue } from '../click/click.js';
import { minuteOf } from '../time.js';
import { Meaning, capsOf, fieldsOf } from './meaning.js';
import type { Judgement, NamedCap, ReadField } from './meaning.js';
import { AD_FIELD } from './rule-set.js';
import type { RuleSet } from './rule-set.js';

/**
 * A rule set applied to clicks in log order, none of them a duplicate: what it says of each, with
 * the caps, which ask how many clicks came before. One for the clicks of one hour and more.
 */
export class RulesInOrder {
  /** What the click's `fields` have to be; see `parseClick`. */
  readonly fields: readonly string[];
  private readonly meaning: Meaning;
  private readonly caps: readonly NamedCap[];
  /** Clicks so far, per cap by partition, ad, minute and text of the field. */
  private readonly before: readonly Map<string, number>[];

  constructor(ruleSet: RuleSet) {
    this.meaning = new Meaning(ruleSet);
    this.fields = fieldsOf(ruleSet);
    this.caps = capsOf(ruleSet);
    this.before = this.caps.map(() => new Map<string, number>());
  }

  /** The filters of the cells that a click is counted in, if it is. */
  filters(click: Click): readonly string[] {
    return this.meaning.judge(this.reader(click)).filters;
  }

  /**
   * What becomes of the next click of a partition. A click that no other filter takes out is one to
   * every cap, whether it is counted or not.
   */
  judge(click: Click, partition: string): Judgement {
    const read = this.reader(click);
    const judgement = this.meaning.judge(read);
    if (judgement.reason !== null) return judgement;
    const above = this.caps.filter((cap, i) => {
      const value = read(cap.field);
      if (value.kind !== 'value') return false;
      const key = [partition, click.adId, String(minuteOf(click.eventMs)), value.text].join('\n');
      const before = this.before[i]!.get(key) ?? 0;
      this.before[i]!.set(key, before + 1);
      return before >= cap.max;
    });
    return { reason: above[0]?.reason ?? null, filters: judgement.filters };
  }

  private reader(click: Click): ReadField {
    return (name): FieldValue => {
      if (name === AD_FIELD) return { kind: 'value', text: click.adId };
      return click.fields[this.fields.indexOf(name)] ?? { kind: 'absent' };
    };
  }
}
