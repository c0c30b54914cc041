"""Photos and videos: typed by their content, decoded before they are accepted, shown without location data (rule 8.8)."""

import io
import os
import struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest
from PIL import Image
from sqlalchemy import func, select

from engine.claim_evidence import Submission, add_evidence
from evidence.media import BadEvidence
from evidence.uploads import examine, gather
from evidence.vault import ORIGINALS, SHOWN, S3Access, Vault, VaultFailed
from storage import evidence_files as records
from storage import queries
from storage.tables import EvidenceRow
from tests.factories import arrival, day, report, rules_of, take
from tests.pictures import PLACE, box, photo, png_that_claims, video, video_bytes
from workflow.errors import OrderError, UsageError
from workflow.policy.policy import Evidence
from workflow.vocabulary import State

RULES = rules_of()


@pytest.fixture
def look(tmp_path):
    """Looks at a file of the test's, with copies in a folder of its own."""
    folder = tmp_path / "copies"
    folder.mkdir()
    return lambda path, **limits: examine(path, Evidence(**limits), folder)


@pytest.mark.parametrize(("form", "kind"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")])
def test_a_photo_is_told_by_its_content_whatever_its_name(look, tmp_path, form, kind):
    upload = look(photo(tmp_path / "invoice.pdf", form, (64, 48)))
    assert (upload.seen.kind, upload.seen.width, upload.seen.height) == (kind, 64, 48)


@pytest.mark.parametrize(("brand", "kind"), [(b"isom", "video/mp4"), (b"qt  ", "video/quicktime")])
def test_a_video_is_told_by_its_content(look, tmp_path, brand, kind):
    upload = look(video(tmp_path / "clip", brand=brand))
    assert (upload.seen.kind, upload.seen.width, upload.seen.height) == (kind, 640, 480)


def test_what_is_shown_of_a_photo_carries_nothing_but_its_pixels_and_stands_upright(look, tmp_path):
    upload = look(photo(tmp_path / "photo.jpg", size=(64, 48), with_location=True))
    assert PLACE in upload.original.read_bytes()
    assert PLACE not in upload.seen.shown.read_bytes()
    with Image.open(upload.seen.shown) as shown:
        assert shown.size == (48, 64)
        assert dict(shown.getexif()) == {}


def test_what_is_shown_of_a_video_has_the_place_blanked_and_all_else_where_it_was(look, tmp_path):
    upload = look(video(tmp_path / "clip.mp4"))
    original, shown = upload.original.read_bytes(), upload.seen.shown.read_bytes()
    assert PLACE in original
    assert PLACE not in shown
    assert len(shown) == len(original)
    assert shown[: original.index(b"udta")] == original[: original.index(b"udta")]


def test_a_track_that_holds_neither_pictures_nor_sound_is_not_shown(look, tmp_path):
    clip = video_bytes()
    notes = box(b"trak", box(b"mdia", box(b"hdlr", bytes(8), b"meta", b"where it was filmed")))
    at = clip.index(b"moov") - 4
    moov = clip[at + 8 :] + notes
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip[:at] + box(b"moov", moov))
    assert b"where it was filmed" not in look(path).seen.shown.read_bytes()


def test_a_large_photo_is_shown_smaller_and_a_transparent_one_on_white(look, tmp_path):
    Image.new("RGBA", (3200, 10), (0, 0, 0, 0)).save(tmp_path / "wide.png")
    with Image.open(look(tmp_path / "wide.png").seen.shown) as shown:
        assert shown.size == (1600, 5)
        assert shown.getpixel((0, 0)) == (255, 255, 255)


def test_a_photo_of_16_bits_of_grey_is_shown_as_grey(look, tmp_path):
    Image.new("I;16", (3200, 10), 32_768).save(tmp_path / "scan.png")
    with Image.open(look(tmp_path / "scan.png").seen.shown) as shown:
        assert shown.getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_photo_that_is_cut_off_is_found_by_decoding_it(look, tmp_path, form):
    whole = io.BytesIO()
    Image.effect_noise((200, 200), 90).convert("RGB").save(whole, form)
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(BadEvidence, match=r"cut\.jpg: it is damaged or cut off|begins like a photo"):
        look(path)


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.999])
def test_a_video_that_is_cut_off_is_found_by_its_boxes(look, tmp_path, kept):
    path = tmp_path / "cut.mp4"
    whole = video_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(BadEvidence, match=r"cut off|no table of contents"):
        look(path)


def test_a_photo_of_too_many_pixels_is_refused_before_it_is_decoded(look, tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_that_claims(60_000, 60_000))
    with pytest.raises(BadEvidence, match="60000 × 60000 pixels"):
        look(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (box(b"ftyp", b"heic", bytes(4), b"mif1"), "another kind"),
        (video_bytes(handler=b"soun"), "no pictures"),
        (video_bytes(chunk=10_000_000), "points beyond its end"),
        (video_bytes(size=(30_000, 30_000)), "30000 × 30000"),
        (box(b"ftyp", b"isom", bytes(4)) + box(b"mdat", b"x"), "not finished"),
        (box(b"ftyp", b"isom", bytes(4)) + b"\0\0\0\4moov", "impossible length"),
        (box(b"ftyp", b"isom", bytes(4)) + box(b"free") * 10_001, "deeply nested boxes"),
        (box(b"wide") + box(b"moov") + box(b"mdat", b"x"), "no pictures"),
        (video_bytes().replace(b"tkhd", b"xxxx"), "no header"),
        (video_bytes()[:-1], "cut off"),
    ],
)
def test_a_container_that_is_no_video_is_refused_with_the_reason(look, tmp_path, content, why):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(BadEvidence, match=why):
        look(path)


def test_a_container_without_content_is_refused(look, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(video_bytes().replace(b"mdat", b"skip", 1))
    with pytest.raises(BadEvidence, match="no content"):
        look(path)


def test_limits_are_those_of_the_policy_and_what_is_no_file_is_refused(look, tmp_path):
    (tmp_path / "large.jpg").write_bytes(b"\xff\xd8\xff" + bytes(1_100_000))
    with pytest.raises(BadEvidence, match="larger than 1 MB, which is the most for a photo"):
        look(tmp_path / "large.jpg", image_megabytes=1)
    with pytest.raises(BadEvidence, match="larger than 1 MB"):
        look(tmp_path / "large.jpg", image_megabytes=1, video_megabytes=1)
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(BadEvidence, match="it is empty"):
        look(tmp_path / "empty.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(BadEvidence, match="it is not a file"):
        look(tmp_path / "pipe.jpg")
    with pytest.raises(BadEvidence, match=r"gone\.jpg: No such file"):
        look(tmp_path / "gone.jpg")


def test_of_a_folder_its_plain_files_are_meant(tmp_path):
    photo(tmp_path / "b.jpg")
    photo(tmp_path / "a.jpg")
    photo(tmp_path / ".hidden.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "inner").mkdir()
    assert [path.name for path in gather([tmp_path])] == ["a.jpg", "b.jpg"]
    with pytest.raises(BadEvidence, match="holds no files"):
        gather([tmp_path / "inner"])


# --- kept with the claim, or not at all ---


@pytest.fixture
def vault(tmp_path):
    return Vault(str(tmp_path / "vault"), S3Access())


def dispute(database, number="1"):
    said = (report("ship", 1), report("deliver", 2), report("open_claim", 3, kind="damaged"))
    take(database, arrival(number, *said, paid=1_000), now=4)


def submit(database, vault, *paths, number="1", **how):
    return add_evidence(database, vault, Submission(number, paths, "person:kim", **how), day(4), RULES)


def kept_files(vault_folder):
    return sorted(path.name for path in vault_folder.rglob("*") if path.is_file())


def test_files_are_kept_reported_and_named_with_the_other_claims_that_have_them(database, vault, tmp_path):
    dispute(database)
    dispute(database, "2")
    first = submit(database, vault, photo(tmp_path / "photo.jpg", with_location=True))
    assert first.outcome.case.claim.evidence == (first.files[0].sha256,)
    assert [effect.kind for effect in first.outcome.steps[0].effects] == ["request_verification"]
    again = submit(database, vault, tmp_path / "photo.jpg", number="2")
    assert again.files[0].elsewhere == ("claim 1 of main/1",)
    assert vault.get(ORIGINALS, first.files[0].sha256) == (tmp_path / "photo.jpg").read_bytes()
    assert PLACE not in vault.get(SHOWN, first.files[0].sha256)
    assert len(kept_files(tmp_path / "vault")) == 2


def test_when_one_file_is_bad_nothing_is_kept(database, vault, tmp_path):
    dispute(database)
    (tmp_path / "bad.jpg").write_bytes(b"not a photo")
    with pytest.raises(BadEvidence, match=r"bad\.jpg: it is not a JPEG"):
        submit(database, vault, photo(tmp_path / "good.jpg"), tmp_path / "bad.jpg")
    assert kept_files(tmp_path / "vault") == []
    assert _rows(database) == 0


def test_when_the_order_takes_no_evidence_nothing_is_kept(database, vault, tmp_path):
    take(database, arrival("1"), now=4)
    with pytest.raises(OrderError, match="submit_evidence was not applied"):
        submit(database, vault, photo(tmp_path / "photo.jpg"))
    assert kept_files(tmp_path / "vault") == []
    assert _rows(database) == 0


def test_a_claim_has_as_many_files_as_the_policy_allows(database, vault, tmp_path):
    dispute(database)
    paths = [photo(tmp_path / f"{number}.jpg", color=f"#{number * 8:02x}0000") for number in range(31)]
    with pytest.raises(BadEvidence, match="31 files: more than a claim may have"):
        submit(database, vault, *paths)
    submit(database, vault, *paths[:30])
    with pytest.raises(BadEvidence, match="the claim has 30 files"):
        submit(database, vault, paths[30])
    assert _rows(database) == 30


def test_a_rejected_claim_is_opened_again_with_new_files(database, vault, tmp_path):
    dispute(database)
    submit(database, vault, photo(tmp_path / "old.jpg"))
    take(database, arrival("1", report("reject", 4.5), placing=False), now=5)
    with pytest.raises(OrderError, match="did not have before"):
        submit(database, vault, tmp_path / "old.jpg", trigger="reopen_claim")
    again = submit(database, vault, photo(tmp_path / "new.jpg", color="red"), trigger="reopen_claim")
    assert again.outcome.case.state is State.disputed


def _rows(database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(EvidenceRow)).scalar()


def test_the_same_file_twice_in_one_claim_is_kept_once(database, vault, tmp_path):
    dispute(database)
    photo(tmp_path / "a.jpg")
    submit(database, vault, tmp_path / "a.jpg", photo(tmp_path / "copy.jpg"))
    with database.read() as connection:
        files = records.of_order(connection, queries.resolve_id(connection, "1"))
    assert len(files) == 1


# --- where it is kept ---


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as a vault needs: put unless it is there, get, delete."""

    objects: ClassVar[dict[str, bytes]] = {}

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        taken = self.headers.get("If-None-Match") == "*" and self.path in self.objects
        if not taken:
            self.objects[self.path] = body
        self._answer(412 if taken else 200)

    def do_GET(self):
        body = self.objects.get(self.path)
        self._answer(404 if body is None else 200, body or b"")

    def do_DELETE(self):
        self.objects.pop(self.path, None)
        self._answer(204)

    def do_POST(self):
        """Delete what a multi-delete request names."""
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        keys = [part.split("</Key>")[0] for part in asked.split("<Key>")[1:]]
        for key in keys:
            self.objects.pop(f"/{self.path.split('/')[1].split('?')[0]}/{key}", None)
        told = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        self._answer(200, f"<DeleteResult>{told}</DeleteResult>".encode())

    def _answer(self, code, body=b""):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", "Mon, 03 Mar 2025 09:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Keep the tests' output clean."""


@pytest.fixture
def s3_vault():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    Thread(target=server.serve_forever, daemon=True).start()
    Bucket.objects = {}
    access = S3Access(f"http://127.0.0.1:{server.server_port}", "us-east-1", "key", "secret")
    yield Vault("s3://bucket/claims", access)
    server.shutdown()
    server.server_close()


def test_a_folder_and_an_s3_store_keep_a_file_once_and_give_it_back(vault, s3_vault, tmp_path):
    file = photo(tmp_path / "photo.jpg")
    for one in (vault, s3_vault):
        assert one.put(ORIGINALS, "a" * 64, file) is True
        assert one.put(ORIGINALS, "a" * 64, file) is False
        assert one.get(ORIGINALS, "a" * 64) == file.read_bytes()
        one.remove("a" * 64)
        one.remove("a" * 64)
        with pytest.raises(VaultFailed, match="is missing from"):
            one.get(ORIGINALS, "a" * 64)


def test_a_vault_that_cannot_be_used_says_so(tmp_path):
    with pytest.raises(UsageError, match="a folder or in s3"):
        Vault("ftp://example.com", S3Access())
    (tmp_path / "file").write_text("x")
    with pytest.raises(VaultFailed, match="cannot be kept in or fetched"):
        Vault(str(tmp_path / "file" / "inner"), S3Access()).put(SHOWN, "a" * 64, photo(tmp_path / "a.jpg"))


# --- what an attacker tried ---


@pytest.mark.parametrize("kind", [b"skip", b"free", b"wide", b"meco", b"gps ", b"CNDA", b"ilst"])
def test_what_playing_does_not_need_is_blanked_wherever_it_stands(look, tmp_path, kind):
    clip = video_bytes()
    at = clip.index(b"moov") - 4
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip[:at] + box(kind, PLACE) + box(b"moov", clip[at + 8 :] + box(kind, PLACE)))
    assert PLACE not in look(path).seen.shown.read_bytes()


def test_the_content_of_a_track_of_places_is_blanked_too(look, tmp_path):
    clip = video_bytes()
    at = clip.index(b"moov") - 4
    where = clip.index(b"mdat") + 4 + 8
    u32 = lambda *numbers: b"".join(number.to_bytes(4, "big") for number in numbers)  # noqa: E731
    tables = box(b"stco", u32(0, 1, where)) + box(b"stsc", u32(0, 1, 1, 2, 1)) + box(b"stsz", u32(0, 0, 2, 8, 8))
    hdlr = box(b"hdlr", bytes(8), b"meta", bytes(13))
    track = box(b"trak", box(b"mdia", hdlr, box(b"minf", box(b"stbl", tables))))
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip[:at] + box(b"moov", clip[at + 8 :] + track))
    shown = look(path).seen.shown.read_bytes()
    assert shown[where : where + 16] == bytes(16)
    assert shown[where + 16 :].startswith(b"pictures")
    uniform = tables.replace(box(b"stsz", u32(0, 0, 2, 8, 8)), box(b"stsz", u32(0, 4, 2)))
    track = box(b"trak", box(b"mdia", hdlr, box(b"minf", box(b"stbl", uniform))))
    path.write_bytes(clip[:at] + box(b"moov", clip[at + 8 :] + track))
    assert look(path).seen.shown.read_bytes()[where : where + 8] == bytes(8)


def track_of_places(tables):
    """Return a track of camera notes with these tables."""
    hdlr = box(b"hdlr", bytes(8), b"meta", bytes(13))
    return box(b"trak", box(b"mdia", hdlr, box(b"minf", box(b"stbl", tables))))


def with_track(path, track):
    clip = video_bytes()
    at = clip.index(b"moov") - 4
    path.write_bytes(clip[:at] + box(b"moov", clip[at + 8 :] + track))
    return path


def test_a_table_that_names_one_place_again_and_again_is_blanked_once(look, tmp_path, monkeypatch):
    """Two hundred thousand chunks of the whole content each: without merging, a hundred megabytes would be written."""
    from evidence import videos

    written = []
    blank = videos._blank
    monkeypatch.setattr(videos, "_blank", lambda file, start, length: (written.append(length), blank(file, start, length)))
    where = video_bytes().index(b"mdat") + 4 + 8
    u32 = struct.Struct(">I").pack
    chunks = 200_000
    places = u32(0) + u32(chunks) + u32(where) * chunks
    runs, sizes = struct.pack(">5I", 0, 1, 1, 1, 1), struct.pack(">3I", 0, 512, chunks)
    tables = box(b"stco", places) + box(b"stsc", runs) + box(b"stsz", sizes)
    path = with_track(tmp_path / "clip.mp4", track_of_places(tables))
    look(path)
    assert sum(written) <= path.stat().st_size


def test_a_long_table_of_runs_is_walked_once(look, tmp_path):
    """As many runs as chunks: looked up anew for each chunk, that is ten thousand million steps."""
    chunks = 100_000
    where = video_bytes().index(b"mdat") + 4 + 8
    places = struct.pack(">2I", 0, chunks) + struct.pack(">I", where) * chunks
    runs = struct.pack(">2I", 0, chunks) + b"".join(struct.pack(">3I", n, 1, 1) for n in range(1, chunks + 1))
    tables = box(b"stco", places) + box(b"stsc", runs) + box(b"stsz", struct.pack(">3I", 0, 8, chunks))
    look(with_track(tmp_path / "clip.mp4", track_of_places(tables)))


def test_tables_out_of_order_or_beyond_all_measure_are_refused(look, tmp_path):
    runs = struct.pack(">2I", 0, 2) + struct.pack(">6I", 5, 1, 1, 1, 1, 1)
    tables = box(b"stco", struct.pack(">3I", 0, 1, 40)) + box(b"stsc", runs) + box(b"stsz", struct.pack(">3I", 0, 8, 1))
    with pytest.raises(BadEvidence, match="out of order"):
        look(with_track(tmp_path / "clip.mp4", track_of_places(tables)))
    huge = box(b"stsz", struct.pack(">3I", 0, 0, 3_000_000) + bytes(12_000_000))
    with pytest.raises(BadEvidence, match="more tables beside its pictures than any camera writes"):
        look(with_track(tmp_path / "clip.mp4", track_of_places(huge)))


def test_a_photo_that_is_painted_over_without_end_and_a_video_of_a_thousand_tracks_are_refused(look, tmp_path):
    whole = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(whole, "JPEG", progressive=True)
    data = whole.getvalue()
    last = data.rindex(b"\xff\xda")
    path = tmp_path / "slow.jpg"
    path.write_bytes(data[:last] + data[last:-2] * 150 + data[-2:])
    with pytest.raises(BadEvidence, match="more than 100 progressive scans"):
        look(path)
    path.write_bytes(video_bytes()[:-1] + b"\0" + box(b"moov", box(b"trak") * 1_000))
    with pytest.raises(BadEvidence, match="1001 tracks"):
        look(path)


def test_a_picture_of_four_colours_may_have_half_as_many_pixels(look, tmp_path):
    Image.new("RGBA", (1_000, 600)).save(tmp_path / "a.png")
    with pytest.raises(BadEvidence, match="1000 × 600"):
        look(tmp_path / "a.png", megapixels=1)


def test_a_file_that_another_claim_has_stays_when_a_submission_fails(database, vault, tmp_path):
    dispute(database)
    submit(database, vault, photo(tmp_path / "photo.jpg"))
    take(database, arrival("3"), now=4)
    with pytest.raises(OrderError):
        submit(database, vault, tmp_path / "photo.jpg", number="3")
    assert len(kept_files(tmp_path / "vault")) == 2


def test_a_store_that_fails_half_way_leaves_no_file_of_nobody_and_no_record(database, vault, tmp_path, monkeypatch):
    dispute(database)
    put = Vault.put

    def fails_on_the_copy(self, folder, sha256, file):
        put(self, folder, sha256, file)
        if folder == SHOWN:
            raise VaultFailed("the answer was lost")

    monkeypatch.setattr(Vault, "put", fails_on_the_copy)
    with pytest.raises(VaultFailed):
        submit(database, vault, photo(tmp_path / "photo.jpg"))
    assert kept_files(tmp_path / "vault") == []
    assert _rows(database) == 0
