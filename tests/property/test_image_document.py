"""Whatever a config says: it is shown, or refused with a sentence."""

import json

from hypothesis import given
from hypothesis import strategies as st

import images as make
from killick.cli.commands.history import history
from killick.cli.image_document import Names, image_document
from killick.cli.template_functions import to_json
from killick.cli.variants import variant
from killick.errors import KillickError
from killick.memory import MemoryRegistry

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=10)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
)
steps = st.lists(
    st.dictionaries(st.sampled_from(["created", "created_by", "comment", "empty_layer"]), values)
)
configs = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("created", "author", "os", "architecture", "variant"), values)
    | {
        "config": values | st.fixed_dictionaries({}, optional={"Labels": values, "Cmd": values}),
        "rootfs": values | st.fixed_dictionaries({}, optional={"diff_ids": values}),
        "history": values | steps,
    },
)


@given(configs, st.integers(0, 3))
def test_any_config_is_shown_or_refused(config, layers):
    repository = MemoryRegistry().repository("a")
    document = {
        "schemaVersion": 2,
        "mediaType": make.OCI_MANIFEST,
        "config": make.put(repository, make.OCI_CONFIG, json.dumps(config).encode()).to_json(),
        "layers": [make.put(repository, make.OCI_LAYER_GZIP, b"x").to_json()] * layers,
    }
    d = make.put(repository, make.OCI_MANIFEST, json.dumps(document).encode())
    try:
        image = variant(repository, d, None)
        found = image_document(image, repository, Names((), ()))
        listed = list(history(image))
    except KillickError:
        return
    assert json.loads(to_json(found))["Digest"] == str(d.digest)
    assert sum(step.layer is not None for step in listed) == layers
    assert all(step.text("created_by") is not None for step in listed)
