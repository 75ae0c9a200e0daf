"""A plugin that tells mypy what it cannot see for itself: methods added to a class below its body, with fastcore's `@patch`,
as the lessons do, and the attributes that such methods set. What they take and give is not checked, only that they are there.
"""
import ast
from pathlib import Path

from mypy.nodes import MDEF, SymbolTableNode, Var
from mypy.plugin import Plugin
from mypy.types import AnyType, TypeOfAny

PACKAGE = Path(__file__).resolve().parent.parent/'pixseg'


def patched(source: str) -> list[tuple[str, str]]:
    "Class and name of every method that `@patch` adds in the text of a module, and of every attribute that it sets."
    found = []
    for f in ast.walk(ast.parse(source)):
        if not isinstance(f, ast.FunctionDef) or not f.args.args: continue
        marks = [d.func if isinstance(d, ast.Call) else d for d in f.decorator_list]
        this = f.args.args[0]
        if this.annotation is None or not any(isinstance(m, ast.Name) and m.id == 'patch' for m in marks): continue
        stored = {n.attr for n in ast.walk(f) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
                  and isinstance(n.value, ast.Name) and n.value.id == this.arg}
        classes = this.annotation.elts if isinstance(this.annotation, ast.Tuple) else [this.annotation]
        found += [(ast.unparse(c), name) for c in classes for name in (f.name, *sorted(stored))]
    return found


NAMES: dict[str, list[str]] = {}
for path in sorted(PACKAGE.rglob('*.py')):
    for owner, name in patched(path.read_text(encoding='utf-8')): NAMES.setdefault(owner, []).append(name)


class Patched(Plugin):
    def report_config_data(self, ctx): return NAMES # with other names, what mypy has cached is stale

    def get_customize_class_mro_hook(self, fullname):
        home, _, owner = fullname.rpartition('.')
        return add if home.split('.')[0] == 'pixseg' and owner in NAMES else None


def add(ctx):
    info = ctx.cls.info
    for name in NAMES[info.name]:
        if name in info.names: continue
        var = Var(name, AnyType(TypeOfAny.explicit))
        var.info, var._fullname = info, f'{info.fullname}.{name}'
        info.names[name] = SymbolTableNode(MDEF, var, plugin_generated=True)


def plugin(version): return Patched
