import type { Command } from 'commander';
import { TruecountError } from '../core/errors.js';
import { loadConfig, type ConfigInputs, type LoadedConfig } from '../runtime/config.js';

/** Options that every verb with settings has. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly config?: string;
  readonly set?: readonly string[];
}

/** Adds `--json`, `--config FILE` and `--set KEY=VALUE`. */
export function withCommonOptions(command: Command): Command {
  return command
    .option('--json', 'one JSON document on stdout')
    .option('--config <file>', 'settings file (default: truecount.yaml if it is there)')
    .option('--set <key=value>', 'a setting, over environment and file (repeatable)', collect);
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** What a verb's options say about the settings; `flags` are values by key of the setting. */
export function configInputs(
  options: CommonOptions,
  flags: Readonly<Record<string, unknown>> = {},
): ConfigInputs {
  const set: Record<string, unknown> = {};
  for (const pair of options.set ?? []) {
    const at = pair.indexOf('=');
    if (at < 1) {
      throw new TruecountError('invalid_argument', `--set ${pair}: expected KEY=VALUE`, {
        hint: 'for example --set stream.workers=1',
      });
    }
    set[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return { flags: { ...set, ...flags }, file: options.config };
}

/** The settings in force for a verb. */
export function configFor(
  options: CommonOptions,
  flags: Readonly<Record<string, unknown>> = {},
): LoadedConfig {
  return loadConfig(configInputs(options, flags));
}
