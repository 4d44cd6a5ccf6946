"""What the native API says of how a picture was made."""

from pydantic import Field

from stablehand.api.schemas import ImageOut, Out


class WeightsOut(Out):
    role: str = Field(description="`checkpoint`, `refiner`, `vae`, `embedding` or `upscaler`.")
    name: str
    sha256: str | None = Field(description="Null when it had not been computed yet.")
    short_hash: str | None = Field(description="The first ten digits of `sha256`, as A1111 shows it.")


class DtypesOut(Out):
    unet: str | None
    text: str | None = Field(description="The text encoders.")
    vae: str | None
    upscaler: str | None


class ManifestOut(Out):
    """By what a picture was drawn, as its agent says: everything that may change its bits."""

    version: int
    runtime: str = Field(description="`native`, `null` …")
    software: dict[str, str] = Field(description="Name -> version.")
    weights: list[WeightsOut]
    device: str = Field(description="`cpu`, `cuda`, or `none`.")
    device_name: str
    compute: str = Field(description="The widest vectors of a processor, or a GPU's compute capability.")
    dtypes: DtypesOut = Field(description="What each network computed in; null where none did.")
    attention: list[str] = Field(description="Kernels that computed the UNet's attention: `flash`, `efficient` …")
    noise: str | None = Field(description="Where noise came from: `CPU`, `GPU` or `NV`.")
    exact: bool = Field(description="Bit-equal whatever else was drawn together with it.")
    bucket: int | None = Field(description="Rows that each of the UNet's calls was filled up to, if it was.")
    resumed: bool = Field(
        description="Begun by another process, which saved its state; all this is said of the one that ended it."
    )


class ImageDetailOut(ImageOut):
    manifest: ManifestOut | None = Field(description="Null when its agent did not say.")
