import { Findings, plural, type Check, type Example, type Invariant } from './report.js';

/** What reading the log against the snapshot has found, over all partitions. */
export class LogTally {
  readonly cells = new Findings();
  readonly excused = new Findings();
  readonly filtered = new Findings();
  readonly filteredExcused = new Findings();
  readonly late = new Findings();
  readonly quarantine = new Findings();
  readonly received = new Findings();
  /** (hour, partition) pairs about which the log can no longer say anything. */
  readonly silentHours = new Findings();
  /** Partitions of which the log does not hold all that was counted, or nothing at all. */
  readonly silentPartitions = new Findings();
  partitions = 0;
  records = 0;
  liveCells = 0;
  filteredClicks = 0;
  lateClicks = 0;
  quarantined = 0;

  /** The checks against the log; without a log none of them says anything. */
  checks(): Check[] {
    return [
      this.cellsCheck(),
      this.filteredCheck(),
      this.lateCheck(),
      this.quarantineCheck(),
      this.receivedCheck(),
    ];
  }

  private cellsCheck(): Check {
    const excused = this.excused.count;
    return this.check('I1', 'cells_against_log', this.cells, this.silentHours, {
      holds:
        `live cells are the distinct clicks of the log (${plural(this.liveCells, 'cell')}, ` +
        `${plural(this.records, 'record')})` +
        (excused === 0 ? '' : `; ${plural(excused, 'difference')} with a named cause`),
      broken: 'differ from the distinct clicks of the log',
      checked: {
        partitions: this.partitions,
        records: this.records,
        'live cells': this.liveCells,
        excused,
      },
      more: this.excused.examples,
    });
  }

  private filteredCheck(): Check {
    const { count: excused, examples: more } = this.filteredExcused;
    return this.check('I3', 'filtered_against_log', this.filtered, this.silentHours, {
      holds:
        'the filtered clicks of each minute and reason are those of the log' +
        (excused === 0 ? '' : `; ${plural(excused, 'difference')} with a named cause`),
      broken: 'between the filtered clicks booked by minute and reason and those of the log',
      checked: { 'filtered clicks': this.filteredClicks, excused },
      more,
    });
  }

  private lateCheck(): Check {
    return this.check('I6', 'late_against_log', this.late, this.silentHours, {
      holds: 'each click at or above its hour’s cut is recorded late or a duplicate',
      broken: 'between the late clicks recorded and those of the log',
      checked: { 'late clicks': this.lateClicks },
    });
  }

  private quarantineCheck(): Check {
    return this.check('I3', 'quarantine_against_log', this.quarantine, this.silentPartitions, {
      holds: 'the quarantined records are those of the log that are no clicks',
      broken: 'between the quarantine and the records of the log that are no clicks',
      checked: { quarantined: this.quarantined },
    });
  }

  private receivedCheck(): Check {
    return this.check('I3', 'received_against_log', this.received, this.silentPartitions, {
      holds: 'the stream has received as many records as the log holds below its positions',
      broken: 'partitions whose received records are not those of the log',
      checked: { records: this.records },
    });
  }

  private check(
    invariant: Invariant,
    name: string,
    findings: Findings,
    silent: Findings,
    words: {
      holds: string;
      broken: string;
      checked: Record<string, number>;
      more?: readonly Example[];
    },
  ): Check {
    const more = words.more ?? [];
    const checked = { ...words.checked, findings: findings.count, unchecked: silent.count };
    const apart = silent.count === 0 ? '' : `; ${plural(silent.count, 'case')} unchecked`;
    if (findings.count > 0) {
      const detail = `${plural(findings.count, 'finding')}: ${words.broken}${apart}`;
      const examples = [...findings.examples, ...more];
      return { invariant, name, status: 'broken', detail, examples, checked };
    }
    if (silent.count > 0) {
      const reason = String(silent.examples[0]?.['reason']);
      const detail = `${plural(silent.count, 'case')} the log cannot answer: ${reason}`;
      const examples = [...silent.examples, ...more];
      return { invariant, name, status: 'unchecked', detail, examples, checked };
    }
    return { invariant, name, status: 'ok', detail: words.holds, examples: more, checked };
  }
}

/** The checks against the log when nobody reads it. */
export function withoutLog(): Check[] {
  return new LogTally().checks().map((check) => ({
    ...check,
    status: 'unchecked',
    detail: 'the log was not read',
    checked: {},
  }));
}
