import { type Feature, type FeatureReport, probeFeatures } from '@weir/ebpf/kernel';
import { DEFAULT_EBPF } from '../../model/ebpf.ts';
import { loadConfig } from '../../sources/config/index.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { DEFAULT_CONFIG } from '../paths.ts';
import { renderTable } from '../render/table.ts';

/**
 * What this kernel, and this process's rights on it, give the eBPF engine, and what Weir does without the rest. Asks no daemon. Exit code 4 where something is missing without which nothing of eBPF
 * works.
 */
export async function features(options: Pick<ViewOptions, 'output' | 'palette' | 'config'>, io: Io): Promise<ExitCode> {
  // A configuration that cannot be read is no reason not to look.
  const pinDirectory = loadConfig(options.config ?? DEFAULT_CONFIG).usable?.ebpf.pinDirectory ?? DEFAULT_EBPF.pinDirectory;
  const report = probeFeatures({ pinDirectory });
  await io.out(options.output === 'json' ? `${JSON.stringify(featuresJson(report))}\n` : renderFeatures(report, options.palette));
  return report.missingRequired.length > 0 ? EXIT.unsupported : EXIT.ok;
}

/** A line for each feature, then what is missing that cannot be done without. */
function renderFeatures(report: FeatureReport, { bold, red }: ViewOptions['palette']): string {
  const row = (one: Feature): readonly string[] =>
    one.present ? [one.name, 'yes', ''] : [one.name, 'no', `${one.instead} (${one.reason})`];
  const table = renderTable(['FEATURE', 'HERE', 'WITHOUT IT'], report.features.map(row), 'lll', bold);
  const { missingRequired: missing } = report;
  return missing.length === 0 ? table : `${table}${red(`nothing of eBPF works without ${missing.join(', ')}`)}\n`;
}

function featuresJson(report: FeatureReport): unknown {
  return {
    format_version: 1,
    usable: report.missingRequired.length === 0,
    missing_required: report.missingRequired,
    features: report.features,
  };
}
