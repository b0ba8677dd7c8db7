import { DiagnosticSeverity } from 'vscode-languageserver';
import type { Diagnostic } from 'vscode-languageserver';
import type { Analysis } from '../../toolchain/assembler/analysis.js';
import type { Diagnostic as AssemblerDiagnostic } from '../../toolchain/diagnostic.js';
import { locationOf, rangeOf } from '../workspace/positions.js';
import type { Workspace } from '../workspace/workspace.js';
import { checks } from './checks.js';
import type { Finding } from './finding.js';

export const SOURCE = 'hyperstep';

/** The diagnostics of a program, by file: every file that was read is there, so that old ones go away. */
export function diagnose(workspace: Workspace, analysis: Analysis): Map<string, Diagnostic[]> {
  const byFile = new Map<string, Diagnostic[]>(analysis.files.map((file) => [file, []]));
  const add = (file: string, diagnostic: Diagnostic): void => {
    const list = byFile.get(file);
    if (list) list.push(diagnostic);
    else byFile.set(file, [diagnostic]);
  };
  for (const diagnostic of analysis.diagnostics) add(diagnostic.file, fromAssembler(workspace, diagnostic));
  const hasErrors = analysis.diagnostics.some(({ severity }) => severity === 'error');
  if (!hasErrors) {
    for (const check of checks) {
      for (const finding of check(analysis, workspace.settings))
        add(finding.file, fromFinding(workspace, finding));
    }
  }
  return byFile;
}

/** A diagnostic of the assembler or the compiler, with the lines inside of macros that led to it. */
export function fromAssembler(workspace: Workspace, diagnostic: AssemblerDiagnostic): Diagnostic {
  const { severity, message, expansion } = diagnostic;
  return {
    range: rangeOf(diagnostic),
    severity: severity === 'error' ? DiagnosticSeverity.Error : DiagnosticSeverity.Warning,
    source: SOURCE,
    message,
    relatedInformation: expansion?.map(({ file, line }) => ({
      location: locationOf(workspace, { file, line, column: 1, endColumn: 1 }),
      message: 'in this line of a macro',
    })),
  };
}

function fromFinding(workspace: Workspace, finding: Finding): Diagnostic {
  return {
    range: rangeOf(finding),
    severity: finding.severity === 'warning' ? DiagnosticSeverity.Warning : DiagnosticSeverity.Information,
    source: SOURCE,
    code: finding.code,
    message: finding.message,
    relatedInformation: finding.related?.map(({ place, message }) => ({
      location: locationOf(workspace, place),
      message,
    })),
  };
}
