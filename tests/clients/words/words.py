"""Words of many languages, in the charsets that mailers have written them in."""

# Language, charsets as Content-Type names them, words.
LANGUAGES = [
    ("English", ["us-ascii"], """
        apple bridge candle doctor engine forest garden harbour island journey kitchen ladder meadow needle
        orchard pebble quarrel ribbon saddle thunder umbrella valley whisper yellow zigzag anchor basket copper
        dinner elbow feather glacier hollow iron jacket kettle lantern marble nickel oyster"""),
    ("French", ["iso-8859-1", "windows-1252", "utf-8"], """
        été hiver forêt élève naïve garçon façade déjà crème brûlée hôpital château être même pâte août maïs
        préféré réseau théâtre règle sûreté tête île côté âme çà époque élan œuvre cœur sœur bœuf vœu
        aiguë ambiguïté égoïste dépêche événement gêner"""),
    ("German", ["iso-8859-1", "iso-8859-15", "utf-8"], """
        Straße Grüße Übung schön Äpfel Öl müde Mädchen Bücher größer fünf zwölf Käse Löffel Schlüssel Frühling
        Gemüse Brötchen Tür Fuß weiß heiß süß Hände Wörter Züge Vögel Gärten Töchter Müller Jäger Köln Zürich
        Österreich Länder ähnlich höflich nützlich gemäß Maß"""),
    ("Polish", ["iso-8859-2", "windows-1250", "utf-8"], """
        żółty łódka źródło ćma śnieg ręka wąż dzień święto gęś pięć dziesięć książka miłość radość źle jaźń
        łąka mąka rzęsa ćwierć żaba Łódź Kraków Gdańsk Poznań Wrocław błąd stół góra król ósmy słońce księżyc
        gwóźdź kość chłód tłum zażółć jaśń"""),
    ("Turkish", ["iso-8859-9", "windows-1254", "utf-8"], """
        ağaç çiçek güneş yağmur öğrenci şeker üzüm ışık kırmızı yeşil köprü gökyüzü çocuk büyük küçük şehir
        deniz dağ bulut yıldız sıcak soğuk kış ilkbahar sonbahar ekmek süt peynir balık tavuk öğle akşam gece
        sabah hafta yıl gün ay saat dakika"""),
    ("Russian", ["koi8-r", "windows-1251", "iso-8859-5", "utf-8"], """
        яблоко мост свеча врач лес сад остров путь кухня лестница игла камень лента гром зонт долина шёпот
        жёлтый якорь корзина медь обед локоть перо ледник железо чайник фонарь мрамор устрица объём съезд ёлка
        щётка цветок чёрный юноша экран мышь хлеб"""),
    ("Greek", ["iso-8859-7", "windows-1253", "utf-8"], """
        μήλο γέφυρα κερί γιατρός δάσος κήπος νησί ταξίδι κουζίνα σκάλα βελόνα πέτρα κορδέλα βροντή ομπρέλα
        κοιλάδα ψίθυρος κίτρινο άγκυρα καλάθι χαλκός δείπνο αγκώνας φτερό παγετώνας σίδερο φανάρι μάρμαρο
        στρείδι ουρανός θάλασσα ήλιος φεγγάρι αστέρι άνεμος βροχή χιόνι φωτιά νερό γη"""),
    ("Hebrew", ["iso-8859-8", "windows-1255", "utf-8"], """
        תפוח גשר נר רופא יער גן אי מסע מטבח סולם מחט אבן סרט רעם מטריה עמק לחישה צהוב עוגן סל נחושת ארוחה מרפק
        נוצה קרחון ברזל קומקום פנס שיש צדפה שמיים ים שמש ירח כוכב רוח גשם שלג אש מים"""),
    ("Arabic", ["windows-1256", "utf-8"], """
        تفاحة جسر شمعة طبيب غابة حديقة جزيرة رحلة مطبخ سلم إبرة حجر شريط رعد مظلة وادي همس أصفر مرساة سلة نحاس
        عشاء مرفق ريشة نهر حديد إبريق فانوس رخام محارة سماء بحر شمس قمر نجم ريح مطر ثلج نار ماء"""),
    ("Japanese", ["iso-2022-jp", "shift_jis", "euc-jp", "utf-8"], """
        林檎 橋 蝋燭 医者 森林 庭園 島国 旅行 台所 梯子 針金 小石 リボン 雷雨 雨傘 谷間 ささやき 黄色 錨地 籠城 銅像
        夕食 肘掛 羽毛 氷河 鉄道 やかん ランタン 大理石 牡蠣 空港 海岸 太陽 月曜 星座 風車 雨水 雪国 火山 水曜"""),
    ("Chinese", ["gb2312", "gb18030", "big5", "utf-8"], """
        苹果 大桥 蜡烛 医生 森林 花园 海岛 旅行 厨房 梯子 针线 石头 丝带 雷雨 雨伞 山谷 低语 黄色 船锚 篮子 青铜 晚餐
        手肘 羽毛 冰川 钢铁 水壶 灯笼 大理石 牡蛎 天空 大海 太阳 月亮 星星 微风 下雨 白雪 火山 清水"""),
    ("Korean", ["euc-kr", "utf-8"], """
        사과 다리 촛불 의사 숲속 정원 섬나라 여행 부엌 사다리 바늘 조약돌 리본 천둥 우산 골짜기 속삭임 노란색 닻줄
        바구니 구리 저녁 팔꿈치 깃털 빙하 철도 주전자 등불 대리석 굴전 하늘 바다 태양 달빛 별자리 바람 빗물 눈꽃 불꽃
        물결"""),
    ("Thai", ["tis-620", "utf-8"], """
        แอปเปิล สะพาน เทียน หมอ ป่าไม้ สวน เกาะ เดินทาง ครัว บันได เข็ม ก้อนหิน ริบบิ้น ฟ้าร้อง ร่ม หุบเขา กระซิบ
        สีเหลือง สมอ ตะกร้า ทองแดง อาหารเย็น ข้อศอก ขนนก ธารน้ำแข็ง เหล็ก กาน้ำ โคมไฟ หินอ่อน หอยนางรม ท้องฟ้า ทะเล
        ดวงอาทิตย์ พระจันทร์ ดวงดาว สายลม ฝนตก หิมะ ไฟป่า สายน้ำ"""),
]


def languages():
    """Language, words, and those of its charsets that have all of them; big5 has its own form of Chinese."""
    for name, charsets, words in LANGUAGES:
        words = words.split()
        for charset in charsets:
            kept = [word for word in words if encodes(word, charset)]
            if kept:
                yield name, charset, kept


def encodes(word, charset):
    try:
        word.encode(charset)
        return True
    except UnicodeEncodeError:
        return False
