"""Tiny public sets in the layout of the cards, the real mirror where there is one, and a file server."""

from __future__ import annotations

import gzip
import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hstore.settings import load_settings

TINY_SETS = {
    "ml_hydpark/ml_hydpark.csv": (
        "material_class,formula,h2_wt_pct,enthalpy_kJ_molH2,temp_C,pressure_atm,entropy_J_molH2_K,"
        "peq_25C_atm,ln_peq_25C_atm,h_to_m,reference,chemsys\n"
        "AB5,LaNi5,1.5,30.8,25.0,1.0,103.3,1.0,0.0,1.08,10.1/x,La-Ni\n"
        "AB,TiFe1-yNiy,1.6,30.0,25.0,1.0,100.0,1.0,0.0,1.0,,Fe-Ni-Ti\n"
        "A2B,Mg2Ni,3.6,64.5,299.0,3.2,122.4,1e-05,-11.3,1.3,,Mg-Ni\n"
        "AB2,ZrMn2,heavy,37.4,50.0,0.01,77.4,0.003,-5.8,1.2,,Mn-Zr\n"
        "AB2,ZrFe2,1.7,3740,50.0,0.01,77.4,0.003,-5.8,1.2,,Fe-Zr\n"
    ),
    "hystor/hystor.csv": (
        "formula,alloy_class,origin,h2_wt_pct,temp_K,citation,chemsys\n"
        "Hf2Cu (M),A2B,HydPark,1.5,293,DOE_data_url,Cu-Hf\n"
        "MmNi5,AB5,HydPark,1.4,298,DOE_data_url,Ni\n"
        "TiFe,AB,Extracted,1.9,-5,10.1/y,Fe-Ti\n"
    ),
    "doe_hydride/doe_hydride.csv": (
        "item_no,material_class,formula,h2_wt_pct_raw,enthalpy_raw,temp_raw,pressure_raw,author_year,"
        "reference_number,comment1,comment2,comment3,chemsys,enthalpy_kJ_molH2,temp_C,pressure_atm,h2_wt_pct\n"
        '1,A2B,Mg2Ni,3.9,71 - 80,337,5-Mar,"Lupu, 1982",419.0,,,,Mg-Ni,75.5,337.0,,3.9\n'
        '2,Complex,NaAlH4,7.5,,0,1,"Nobody, 1990",1.0,,,,Al-Na,,0.0,1.0,7.5\n'
        '3,A2B,Mg2Ni1-yCuy,2.6,53 - 73,300,3.5 - 8,"Nobody, 1983",417.0,,,,Cu-Mg-Ni,63.0,300.0,,2.6\n'
    ),
    "obelix/all.csv": (
        "ID,Reduced Composition,Z,True Composition,Ionic conductivity (S cm-1),Space group #,a,b,c,alpha,beta,"
        "gamma,Family,DOI\n"
        "aa1,Li7BiO6,1,Li7Bi1O6,1e-06,2,5.5,6.0,5.5,116.9,120.8,62.2,hexaoxometalates,10.1/a\n"
        "aa2,Li3PO4,2,Li6P2O8,<1E-10,62,5.0,6.0,7.0,90,90,90,LISICON,10.1/b\n"
        "aa3,Li2O,2,Li4O2,0,225,4.6,4.6,4.6,90,90,90,,10.1/c\n"
        "aa4,LiF,4,Li4F4,1e-9,225,4.0,4.0,4.0,90,90,90,,10.1/d\n"
    ),
    "obelix/train.csv": "ID\naa1\naa3\n",
    "obelix/test.csv": "ID\naa2\n",
    "liverpool_liion/liverpool_liion.csv": (
        "ID,formula,doi,temp_C,sigma_S_cm,log10_sigma,family,chemical_family,composition_in_obelix,in_obelix_test\n"
        "1,Li2OHBr,10.1/z,25.0,1e-05,-5.0,Anti-Perovskite,Oxides,True,True\n"
        '2,"""Li3[PS4]""",10.1/z,,1e-05,-5.0,Glass,,False,False\n'
    ),
    "nasicon_na/nasicon_na_train.csv": (
        "formula,sigma_S_cm,Ea_eV,a_A,c_A\nNaZr2(PO4)3,4.5e-06,0.47,8.792,22.842\nNaXx2(PO4)3,1e-6,0.4,8.7,22.8\n"
    ),
    "mof_h2_usable/mof_h2_usable.csv.gz": (
        "density_g_cm3,gsa_m2_g,vsa_m2_cm3,void_fraction,pore_volume_cm3_g,lcd_A,pld_A,usable_grav_wt_pct,"
        "usable_vol_g_L,core_mof_2019_asr,group\n"
        "0.24,7697.77,1871.97,0.9,3.72,12.42,10.55,13.35,39.89,ABCDEF_clean,0\n"
        "0,1,1,0.9,3.72,12.42,10.55,13.35,39.89,,1\n"
        "0.5,1,1,0.9,3.72,12.42,10.55,,39.89,,2\n"
    ),
    "isodb_h2/isotherms.csv.gz": (
        "isotherm_id,adsorbent,adsorbent_hashkey,doi,temperature_K,units,category,isotherm_type,suspect\n"
        "i1,MOF-5,NIST-1,10.1/m,77,wt%,exp,excess,False\n"
        "i2,MOF-5,NIST-1,10.1/m,77,g/l,unspecified,unspecified,True\n"
    ),
    "isodb_h2/points.csv.gz": (
        "isotherm_id,point,pressure_bar,uptake_raw,uptake_wt_pct\n"
        "i1,0,1.0,1.3,1.3\ni1,1,40.0,5.1,5.1\ni1,2,-1.0,5.1,5.1\ni2,0,1.0,9.0,\ni3,0,1.0,1.0,1.0\n"
    ),
    "sorbmeta_h2_gcmc/h2_loadings.csv.gz": (
        "material_class,material,temperature_K,pressure_bar,h2_loading_mol_L\n"
        "iza,ABW-0,77.0,1.0,7.7\niza,ABW-0,92.4,1.0,many\n"
    ),
}
"""File of a mirror -> text; every set has good and bad rows."""


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Settings of an empty home folder and no mirror."""
    monkeypatch.delenv("HSTORE_DATA_MIRROR", raising=False)
    return load_settings(home=tmp_path / "home")


@pytest.fixture
def tiny_mirror(tmp_path):
    """A mirror with a few rows of every public set."""
    for name, text in TINY_SETS.items():
        path = tmp_path / "mirror" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode()
        path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return tmp_path / "mirror"


@pytest.fixture
def mirrored(settings, tiny_mirror):
    """Settings that read the tiny mirror."""
    return settings.model_copy(update={"data_mirror": tiny_mirror})


@pytest.fixture
def real():
    """Settings that read the real public sets, in part or in whole."""
    mirror = os.environ.get("HSTORE_DATA_MIRROR")
    if not mirror:
        pytest.skip("HSTORE_DATA_MIRROR is unset: the public sets are not here")
    return load_settings(data_mirror=Path(mirror))


class FileServer:
    """A server of one folder on loopback, which can break off answers."""

    def __init__(self, folder):
        self.folder = folder
        self.requests = []
        self.break_off = 0
        """Number of answers to come that stop halfway."""
        outer = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append(self.path)
                if outer.break_off:
                    outer.break_off -= 1
                    data = (folder / self.path.lstrip("/")).read_bytes()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data[: len(data) // 2])
                    return
                super().do_GET()

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A file server of an empty folder; downloads do not wait between attempts."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("pooch.core.time.sleep", lambda _seconds: None)
    folder = tmp_path / "served"
    folder.mkdir()
    running = FileServer(folder)
    yield running
    running.close()
